"""What transformers cost to simulate: prompts, tokens one after another, several sequences, and a peer.

    python benchmarks/transformers.py [--peer PATH] [--fast]

On `hermes_llm`, the network by flit. Each measurement has a process of its own; times are CPU seconds. `--peer` is a
checkout of github.com/IBM/3D-CiM-LLM-Inference-Simulator (it needs torch, matplotlib, pydot and tqdm), which then runs
the example of its README beside ours; `--fast` leaves Llama-7B out. The targets are printed beside what was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CHIP = "hermes_llm"
ONE_PASS = {
    "ResNet-50": ("resnet50", {}),
    "BERT-base, 128 tokens": ("bert_base", {"batch": 1, "seq": 128}),
    "GPT-2, prompt of 512": ("gpt2", {"batch": 1, "seq": 512, "kv": 0}),
    "Llama-7B, prompt of 128": ("llama_7b", {"batch": 1, "seq": 128, "kv": 0}),
}
GENERATED = {  # trace, prompt, tokens, requests
    "100 steps": ("gpt2", 16, 101, 1),
    "1000 steps": ("gpt2", 16, 1001, 1),
    "1 sequence": ("gpt2", 64, 16, 1),
    "16 sequences": ("gpt2", 64, 16, 16),
    "ours": ("small", 1, 11, 1),
}
PEER_CPU_S, PEER_MB = 19.9, 454  # measured on two busy cores, where no checkout is given
STEPS, SEQUENCES, PEER = 12, 20, 0.1  # at most: times 100 steps, times one sequence, of the peer's time


def one_pass(name: str) -> dict[str, float]:
    """Run a bound trace once: the engine's events, and how long mapping and simulating took."""
    import pimsim
    from pimsim.machine.machine import Machine

    trace, symbols = ONE_PASS[name]
    start = time.process_time()
    loaded = pimsim.Trace.load(trace)
    plan = pimsim.make_plan(pimsim.Chip.load(CHIP), loaded.bind(symbols) if symbols else loaded)
    machine = Machine(plan, 1)
    built = time.process_time()
    machine.run()
    return {
        "build": built - start,
        "run": time.process_time() - built,
        "firings": machine.engine.firings,
        "events": machine.engine.events,
        "chips": plan.package.chips,
        "ms": machine.host.outputs[-1] / 1e12,
    }


def generated(name: str) -> dict[str, float]:
    """Generate tokens, all in all."""
    import pimsim

    trace, prompt, tokens, requests = GENERATED[name]
    if trace == "small":  # 3 layers of width 512, 8 heads, 2048 inside, 1024 words: the peer's example
        from tests.transformers import decoder

        loaded = decoder(layers=3, heads=8, width=512, vocabulary=1024)
    else:
        loaded = pimsim.Trace.load(trace)
    start = time.process_time()
    result = pimsim.generate(pimsim.Chip.load(CHIP), loaded, prompt, tokens, requests=requests)
    return {"run": time.process_time() - start, "ms": result.latency_fs / 1e12}


def measured(*command: str, path: str = "") -> dict[str, float]:
    """Run a command; return what it printed last as JSON, its CPU seconds and its peak memory."""
    env = {**os.environ, "PYTHONPATH": path} if path else None
    program = (
        "import json, resource, subprocess, sys; "
        "made = subprocess.run(sys.argv[1:], check=True, capture_output=True, text=True).stdout.splitlines(); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(json.dumps([made[-1], used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program, *command], check=True, capture_output=True, text=True, env=env
    )
    last, seconds, megabytes = json.loads(out.stdout)
    found = json.loads(last) if last.startswith("{") else {}
    return {**found, "cpu": seconds, "mb": megabytes}


def run(name: str) -> dict[str, float]:
    return measured(sys.executable, __file__, "--one", name)


def verdict(ratio: float, most: float) -> str:
    return f"{ratio:.2f}, at most {most:g}: {'yes' if ratio <= most else 'NO'}"


def peer(path: str | None) -> tuple[float, float, str]:
    """Return the peer's CPU seconds and peak memory on the example of its README."""
    if path is None:
        return PEER_CPU_S, PEER_MB, "its figures measured earlier, on two busy cores"
    text = (Path(path) / "README.md").read_text()
    example = text[text.index("from threedsim.accelerator") :].split("```")[0]
    found = measured(
        sys.executable, "-c", example, path=f"{Path(path) / 'src'}:{os.environ.get('PYTHONPATH', '')}"
    )
    return found["cpu"], found["mb"], "in this run"


def passes(fast: bool) -> None:
    """Print the table of single passes: ResNet-50 first, since the others are compared with it."""
    print(f"one pass on {CHIP}; CPU seconds\n")
    print(
        "                          build     run  firings/s   events/s  of ResNet-50's  peak MB  chips     ms"
    )
    base = 0.0
    for name in ONE_PASS:
        if fast and name.startswith("Llama"):
            continue
        row = run(name)
        rate = row["firings"] / row["run"]
        base = base or rate
        print(
            f"{name:24s} {row['build']:6.2f} {row['run']:7.2f} {rate:10,.0f} {row['events'] / row['run']:10,.0f} "
            f"{rate / base:15.2f} {row['mb']:8.1f} {row['chips']:6d} {row['ms']:6.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", metavar="PATH")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--one", choices=[*ONE_PASS, *GENERATED], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one_pass(given.one) if given.one in ONE_PASS else generated(given.one)))
        return
    for few, many, most in (("100 steps", "1000 steps", STEPS), ("1 sequence", "16 sequences", SEQUENCES)):
        less, more = run(few), run(many)
        print(
            f"GPT-2, {many}: {more['run']:.2f} CPU s, {more['mb']:.0f} MB; {few}: {less['run']:.2f} CPU s, "
            f"{less['mb']:.0f} MB; ratio {verdict(more['run'] / less['run'], most)}",
            flush=True,
        )
    ours, (seconds, megabytes, where) = run("ours"), peer(given.peer)
    print(
        f"3 layers of width 512, 11 tokens, whole process: {ours['cpu']:.2f} CPU s, {ours['mb']:.0f} MB; 3D-CiM "
        f"({where}): {seconds:.2f} CPU s, {megabytes:.0f} MB; ratio {verdict(ours['cpu'] / seconds, PEER)}\n",
        flush=True,
    )
    passes(given.fast)


if __name__ == "__main__":
    main()
