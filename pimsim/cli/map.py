"""``pimsim map``: map a trace on a chip and save the plan, which ``pimsim run --mapping`` runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pimsim.cli import options
from pimsim.cli.output import print_bytes, say_of_trace
from pimsim.cli.progress import Progress
from pimsim.errors import ConfigError

if TYPE_CHECKING:
    from pimsim.mapping.planning.options import Effort


@click.command("map", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("chip")
@click.argument("trace")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PLAN",
    help="Where to write the plan, as JSON; without it, it is printed.",
)
@click.option(
    "--bind", "binds", multiple=True, metavar="NAME=N", help="Give a symbol of the trace its value."
)
@click.option("--prompt", type=int, metavar="N", help="Tokens of a prompt, which the model is to continue.")
@click.option("--generate", "tokens", type=int, metavar="N", help="Tokens to generate after the prompt.")
@click.option("--requests", type=int, default=1, metavar="N", help="Prompts that come (default 1).")
@click.option("--places", type=int, metavar="N", help="Sequences under way at once; without it, all.")
@click.option("--seed", type=int, default=0, metavar="N", help="Of the experts of a prompt (default 0).")
@click.option("--chips", type=int, metavar="N", help="How many chips; without it, as few as hold the model.")
@options.effort
@options.mapper
@options.optimize
@options.budget
@click.option("--yes", "many", is_flag=True, help="Take hundreds of chips, if it needs so many.")
@click.option("--weight-bits", type=int, metavar="N", help="Bits of a weight, if not as trace or chip say.")
@click.option("--input-bits", type=int, metavar="N", help="Bits of an input, if not as trace or chip say.")
@click.option("--reload", is_flag=True, help="If the weights exceed all arrays, write them anew in turn.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value: path.to.key=value."
)
def command(
    chip: str,
    trace: str,
    output: Path | None,
    binds: tuple[str, ...],
    prompt: int | None,
    tokens: int | None,
    requests: int,
    places: int | None,
    seed: int,
    chips: int | None,
    effort: Effort,
    mapper: str,
    optimize: str | None,
    budget: int,
    many: bool,
    weight_bits: int | None,
    input_bits: int | None,
    reload: bool,
    overrides: tuple[str, ...],
) -> None:
    """Map TRACE on CHIP and save the plan: which op on which sites and arrays, in how many copies.

    The file is there to be read and edited; docs/mapping.md says what stands in it.

    \b
      pimsim map isaac resnet18 -o plan.json
      pimsim run isaac resnet18 --mapping plan.json
    """
    if prompt is not None and binds:
        raise ConfigError("does not go with --bind; see --requests", where="--prompt")
    with Progress("ops", "while planning; nothing is written"):
        from pimsim.chip import Chip
        from pimsim.run.experiment import Experiment
        from pimsim.run.mapping import saved_plan
        from pimsim.run.options import Options
        from pimsim.trace import Trace
        from pimsim.trace.bind import bind_text

        asked = Options(
            prompt=prompt,
            tokens=tokens,
            requests=requests,
            places=places,
            seed=seed,
            chips=chips,
            effort=effort,
            mapper=mapper,
            optimize=optimize,
            budget=budget,
            many=many,
            weight_bits=weight_bits,
            input_bits=input_bits,
            reload=reload,
        )
        loaded = Trace.load(trace)
        if prompt is None and (binds or loaded.symbols):
            loaded = bind_text(loaded, binds, partial=True)
        experiment = Experiment(Chip.load(chip, overrides), loaded, asked)
        say_of_trace(experiment.trace)
        plan = saved_plan(experiment)
    if output is None:
        print_bytes(plan.to_json().encode())
    else:
        plan.save(output)
