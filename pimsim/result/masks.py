"""What a result says of causal attention."""

from __future__ import annotations

from pimsim.machine.machine import Machine

WORKED_ON = (
    "Attention is causal: {}; scores that the mask hides are worked on like others, and counted in macs."
)
SKIPPED = "Attention is causal: {}; of scores that the mask hides, units skip the work: each row takes the mean of all."


def mask_notes(machine: Machine) -> list[str]:
    """Return what is to be said of products that a causal mask follows: whether what it hides is worked on."""
    notes: dict[str, None] = {}
    for program in machine.programs:
        for op in program.plan.ops:
            if op.node.right is None or op.node.seen == 1.0:
                continue
            kind = program.plan.package.kind(op.replicas[0].home)
            if op.arrays:
                rows = "right matrices are written into arrays as a whole, so rows wait for all keys"
            else:
                rows = "a row waits for the keys up to its own"
            skips = not op.arrays and kind.seen(op.node, op.node.seen) < 1.0
            notes.setdefault((SKIPPED if skips else WORKED_ON).format(rows))
    return list(notes)
