"""``pimsim chip``: list, show and check chips."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from pimsim.chip import Chip

WIDTH = 80
NOT_MODELLED = "not modelled"


@click.group(name="chip", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List, show and check chips."""


@command.command("list")
def list_chips() -> None:
    """List the presets, one a line, with what each is."""
    from pimsim import presets
    from pimsim.chip import Chip

    names = presets.names("configs", ".yaml")
    width = max(map(len, names), default=0)
    for name in names:
        click.echo(f"{name:{width}}  {Chip.load(name).config.description}")


@command.command()
@click.argument("chip")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value: path.to.key=value."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures and the configuration as JSON.")
def show(chip: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show the peak figures of CHIP (a preset's name or a file), in all and by part."""
    from pimsim.chip import Chip

    loaded = Chip.load(chip, overrides)
    _warn(loaded)
    if as_json:
        click.echo(json.dumps(_as_data(loaded), indent=2))
        return
    from rich.console import Console
    from rich.text import Text

    from pimsim.chip.notes import notes_of_values
    from pimsim.chip.reticle import beyond_reticle

    console = Console(width=WIDTH, highlight=False, markup=False)
    console.print(Text(f"{loaded.config.name}: {loaded.config.description}", style="bold"))
    console.print(Text(loaded.config.source))
    console.print(_totals(loaded))
    console.print(_by_part(loaded))
    console.print(
        Text(
            "Peak: every part at its highest rate. 1 MAC = 2 operations. MB are 1e6 bytes. "
            "Shares are of what is modelled."
        )
    )
    for note in (beyond_reticle(loaded), *loaded.notes, *notes_of_values(loaded.config)):
        if note:
            console.print(Text(f"- {note}"))


@command.command()
@click.argument("file")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value: path.to.key=value."
)
def check(file: str, overrides: tuple[str, ...]) -> None:
    """Check a chip FILE (or a preset); warnings go to stderr."""
    from pimsim.chip import Chip

    chip = Chip.load(file, overrides)
    _warn(chip)
    config = chip.config
    click.echo(
        f"{file}: ok, {config.name}: "
        + "; ".join(f"{site.count} {name} ({site.summary()})" for name, site in config.sites.items())
    )


@command.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="Write the new file here, not on stdout."
)
def convert(file: str, output: str | None) -> None:
    """Convert a chip FILE of an older version, text for text: comments and order stay."""
    from pathlib import Path

    from pimsim.chip import Chip
    from pimsim.chip.convert import convert_file
    from pimsim.result.result import write_whole

    text = convert_file(Path(file))
    if output is None:
        click.echo(text, nl=False)
        return
    write_whole(Path(output), text.encode())
    chip = Chip.load(output)
    click.echo(f"{output}: ok, {chip.config.name}", err=True)


def _warn(chip: Chip) -> None:
    for warning in chip.warnings:
        click.echo(f"warning: {warning}", err=True)


def _totals(chip: Chip) -> Table:
    """Return the table of the whole chip's figures, computed beside published."""
    table = _table("", "computed", "published", "difference")
    for name, unit, computed, published in _figures(chip):
        difference = f"{100 * (computed / published - 1):+.2f} %" if computed and published else ""
        value = NOT_MODELLED if computed is None else _number(computed)
        table.add_row(f"{name} ({unit})", value, _number(published) if published else "", difference)
    return table


def _figures(chip: Chip) -> list[tuple[str, str, float | None, float | None]]:
    """Return name, unit, computed and published value of the chip's figures."""
    peak, published = chip.peak, chip.config.published
    bits = chip.config.precision
    found: list[tuple[str, str, float | None, float | None]] = [
        (
            f"throughput, {bits.weight_bits}-bit weights, {bits.input_bits}-bit inputs",
            "TOPS",
            peak.tops,
            published.tops,
        ),
        ("power", "W", peak.watts or None, published.watts),
        ("area", "mm2", peak.area_mm2 or None, published.area_mm2),
        ("efficiency", "TOPS/W", peak.tops_per_watt or None, published.tops_per_watt),
        ("density", "TOPS/mm2", peak.tops_per_mm2 or None, published.tops_per_mm2),
        ("weight capacity", "MB", peak.weights_mb, published.weights_mb),
    ]
    power = {row.part: row.power_mw for row in peak.rows}
    for site in chip.config.sites.values():
        for name, unit, value, key in site.highlights(power):
            found.append((name, unit, value, getattr(published, key, None)))
    return found


def _by_part(chip: Chip) -> Table:
    """Return the table of power and area by part."""
    table = _table("part", "count", "power (W)", "share", "area (mm2)", "share")
    peak = chip.peak
    for row in peak.rows:
        power = None if row.power_mw is None else row.power_mw / 1000
        table.add_row(
            row.part,
            str(row.count),
            *_with_share(power, peak.watts),
            *_with_share(row.area_mm2, peak.area_mm2),
        )
    return table


def _with_share(value: float | None, total: float) -> tuple[str, str]:
    if value is None:
        return NOT_MODELLED, ""
    return _number(value), f"{100 * value / total:.1f} %"


def _table(first: str, *others: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _number(value: float) -> str:
    return f"{value:.4g}" if value < 1e4 else f"{value:.0f}"


def _as_data(chip: Chip) -> dict[str, Any]:
    """Return what ``--json`` prints; null stands for what is not modelled or not published."""
    from pimsim.chip.notes import notes_of_values

    figures = {
        f"{name} ({unit})": {"computed": computed, "published": published}
        for name, unit, computed, published in _figures(chip)
    }
    peak = chip.peak
    return {
        "name": chip.config.name,
        "digest": chip.digest,
        "peak": {
            "tops": peak.tops,
            "watts": peak.watts or None,
            "area_mm2": peak.area_mm2 or None,
            "tops_per_watt": peak.tops_per_watt or None,
            "tops_per_mm2": peak.tops_per_mm2 or None,
            "weights": peak.weights,
            "weights_mb": peak.weights_mb,
        },
        "figures": figures,
        "parts": [
            {
                "part": row.part,
                "count": row.count,
                "static_mw": row.static_mw,
                "dynamic_mw": row.dynamic_mw,
                "area_mm2": row.area_mm2,
            }
            for row in peak.rows
        ],
        "warnings": chip.warnings,
        "notes": chip.notes,
        "values": notes_of_values(chip.config),
        "config": chip.to_dict(),
    }
