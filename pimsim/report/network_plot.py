"""Pictures of a network: latency against load, and its links coloured by what they carry."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.errors import ConfigError, ResultError
from pimsim.result.result import check_writable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from networkx import Graph

    from pimsim.network.noc import NocResult
    from pimsim.result.result import Result

Use = Mapping[tuple[str, str], float]
Point = tuple[float, float]
LABELLED = 80  # routers up to which their numbers are written
MOST_CHIPS = 16


def check_plot(path: Path) -> None:
    """Refuse a picture that cannot be made before anybody waits for it.

    Raises
    ------
    ConfigError
        If matplotlib is missing or does not write such files.
    ResultError
        If the file cannot be written.
    """
    figure = blank(1, 1)
    known = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix[1:].lower() not in known:
        raise ConfigError(f"found '{path.suffix}', expected one of: {', '.join(known)}", where=str(path))
    check_writable(path)


def plot_curve(result: NocResult, path: Path) -> None:
    """Draw latency against offered load, the 95 % interval around it, and what was unstable.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    ResultError
        If the file cannot be written.
    """
    figure = blank(7, 4.5)
    axes = figure.add_subplot()
    rows = [row for row in result.rows if row["status"] == "stable"]
    rates = [row["rate"] for row in rows]
    latency = [row["latency_cycles"] for row in rows]
    width = [row["latency_ci95"] or 0.0 for row in rows]
    axes.plot(rates, latency, "o-", color="#1f5a96", label="packet latency")
    if any(width):  # of one seed there is none
        low = [a - b for a, b in zip(latency, width, strict=True)]
        high = [a + b for a, b in zip(latency, width, strict=True)]
        axes.fill_between(rates, low, high, color="#1f5a96", alpha=0.2, label="95 % interval")
    axes.plot(
        rates, [row["network_latency_cycles"] for row in rows], "s--", color="#b05a1e", label="in the network"
    )
    for position, row in enumerate(row for row in result.rows if row["status"] != "stable"):
        axes.axvline(row["rate"], color="#a02020", linestyle=":", label="unstable" if position == 0 else None)
    axes.set_xlabel("offered load, flits a terminal and cycle")
    axes.set_ylabel("latency, cycles")
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])  # from 0, and a margin over the highest point
    about = result.about
    axes.set_title(
        f"{about['topology']['kind']} of {about['terminals']}, {about['pattern']}, "
        f"{about['packet_size']} flits a packet"
    )
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


def plot_links(graph: Graph[str], use: Use, path: Path, title: str) -> None:
    """Draw a network with every channel coloured by its share of time in use.

    Parameters
    ----------
    graph : networkx.Graph
        As `Topology.graph` returns it.
    use : mapping of (from, to) to float
        Shares of one; the two directions of a link are drawn side by side.
    path : path
        Where to, by its ending PNG, SVG or PDF.
    title : str
        What is shown.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    ResultError
        If the file cannot be written.
    """
    _plot([graph], [use], [""], path, title)


def plot_chips(result: Result, path: Path) -> None:
    """Draw the networks of a run's chips, every channel coloured by its share of the latency in use.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    ResultError
        If the file cannot be written.
    """
    from pimsim.chip.schema import ChipConfig

    config = ChipConfig.model_validate(result.config)
    graph = config.graph()
    shown = min(result.chips, MOST_CHIPS)
    uses: list[dict[tuple[str, str], float]] = [dict.fromkeys(both_ways(graph), 0.0) for _ in range(shown)]
    for row in result.network["links"]:
        if row["chip"] < shown:
            uses[row["chip"]][row["from"], row["to"]] = row["utilisation"]
    names = [f"chip {chip}" for chip in range(shown)] if result.chips > 1 else [""]
    rest = "" if shown == result.chips else f", the first {shown} of {result.chips} chips"
    by_packet = ", by packet (approximate)" if result.network["approximate"] else ""
    _plot([graph] * shown, uses, names, path, f"{result.model} on {result.chip}{rest}{by_packet}")


def both_ways(graph: Graph[str]) -> list[tuple[str, str]]:
    """Return both directions of every link."""
    edges = list(graph.edges)
    return edges if graph.is_directed() else [*edges, *((b, a) for a, b in edges)]


def _plot(graphs: list[Graph[str]], uses: list[Any], names: list[str], path: Path, title: str) -> None:
    """Draw networks of one kind beside one another, on one scale of colours."""
    places = layout(graphs[0])
    xs, ys = [p[0] for p in places.values()], [p[1] for p in places.values()]
    wide, high = max(xs) - min(xs) + 1, max(ys) - min(ys) + 1
    columns = min(len(graphs), 4)
    rows = -(-len(graphs) // columns)
    scale = min(1.4, 13 / (wide * columns), 10 / (high * rows))
    figure = blank(max(5.0, wide * scale * columns + 1.5), max(3.5, high * scale * rows + 1))
    highest = max((share for use in uses for share in use.values()), default=0) or 1
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    made: Any = None
    for graph, use, name, each in zip(graphs, uses, names, axes, strict=False):
        made = _draw(each, graph, places, use, scale, 100 * highest)
        each.set_title(name, fontsize=9)
    for each in axes[len(graphs) :]:
        each.set_axis_off()
    bar = figure.colorbar(made, ax=figure.axes, shrink=0.8)
    bar.set_label("in use, % of the time, each direction")
    figure.suptitle(title)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    save(figure, path)


def _draw(
    axes: Any, graph: Graph[str], places: dict[str, Point], use: Use, scale: float, highest: float
) -> Any:
    from matplotlib.collections import LineCollection

    lines, shares, widths = [], [], []
    for (a, b), share in use.items():
        lines.append(beside(places[a], places[b]))
        shares.append(100 * share)
        widths.append((3.5 if graph.nodes[a]["kind"] == graph.nodes[b]["kind"] else 1.8) * min(1, scale))
    made = LineCollection(lines, linewidths=widths, cmap="viridis_r", capstyle="butt")
    made.set_array(shares)
    made.set_clim(0, highest)
    axes.add_collection(made)
    for kind, colour, size in (
        ("router", "#333333", 120),
        ("tile", "#9aa4ad", 30),
        ("gateway", "#a02020", 60),
        ("memory", "#1f6fb2", 60),
    ):
        nodes = [node for node, data in graph.nodes(data=True) if data["kind"] == kind]
        if nodes:
            axes.scatter(
                [places[node][0] for node in nodes],
                [places[node][1] for node in nodes],
                s=size * scale,
                c=colour,
                zorder=2,
                marker="s" if kind == "router" else "o",
                label={"gateway": "external link", "memory": "memory port"}.get(kind, kind),
            )
    routers = [node for node, data in graph.nodes(data=True) if data["kind"] == "router"]
    if len(routers) <= LABELLED:
        for node in routers:
            style = {"ha": "center", "va": "center", "color": "white", "fontsize": 6 * scale, "zorder": 3}
            axes.annotate(node[1:], places[node], **style)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.autoscale_view()
    return made


def layout(graph: Graph[str]) -> dict[str, Point]:
    """Return a place for every node: routers by their dimensions or their level, terminals around their router."""
    import networkx

    topology = graph.graph["topology"]
    routers = [node for node, data in graph.nodes(data=True) if data["kind"] == "router"]
    places: dict[str, Point] = {}
    shape = getattr(topology, "shape", None)
    if shape is not None and 1 in shape and len(routers) > 4 and topology.kind == "ring":
        radius = len(routers) / 5
        for i, node in enumerate(routers):
            angle = 2 * math.pi * i / len(routers)
            places[node] = (radius * math.sin(angle), radius * math.cos(angle))
    elif all("x" in graph.nodes[node] for node in routers):
        of = getattr(topology, "of", None)
        step = max((graph.nodes[node]["x"] for node in routers), default=0) + 2
        for node in routers:
            data = graph.nodes[node]
            chip = data["index"] // of.routers if of is not None else 0
            places[node] = (data["x"] + chip * step, -data["y"])
    elif hasattr(topology, "width") and hasattr(topology, "arity"):
        for node in routers:
            row, column = divmod(graph.nodes[node]["index"], topology.width)
            flat = topology.kind == "fly"
            places[node] = (2.0 * row, -column) if flat else (column, -1.5 * row)
    else:
        plain: Graph[str] = networkx.Graph()
        plain.add_nodes_from(routers)
        plain.add_edges_from(
            (a, b) for a, b, edge in graph.edges(data=True) if edge["kind"] == "link" and a != b
        )
        around = 0.9 * math.sqrt(len(routers))
        found = (
            networkx.spring_layout(plain, seed=1, iterations=200)
            if len(routers) > 1
            else {routers[0]: (0.0, 0.0)}
        )
        places = {node: (around * float(x), around * float(y)) for node, (x, y) in found.items()}
    ends: dict[str, list[str]] = {}
    for node, data in graph.nodes(data=True):
        if data["kind"] != "router":
            ends.setdefault(next(iter(graph.adj[node])), []).append(node)
    for at, nodes in ends.items():
        for i, node in enumerate(nodes):
            angle = math.pi / 4 + 2 * math.pi * i / len(nodes)
            radius = 0.3 + 0.03 * max(0, len(nodes) - 4)
            x, y = places[at]
            places[node] = (x + radius * math.cos(angle), y + radius * math.sin(angle))
    return places


def beside(a: Point, b: Point) -> list[Point]:
    """Return a line from a to b, a little to its right, so that the other direction has room."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dx, dy) or 1.0
    off = 0.045
    return [
        (a[0] + off * dy / length, a[1] - off * dx / length),
        (b[0] + off * dy / length, b[1] - off * dx / length),
    ]


def blank(width: float, height: float) -> Figure:
    """Return an empty picture of a size in inches.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(
            "drawing needs matplotlib, which is not installed",
            where="--plot",
            mend="pip install 'pimsim[plot]'",
        ) from None
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Any, path: Path) -> None:
    """Write a picture whole or not at all.

    Raises
    ------
    ResultError
        If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        figure.savefig(temporary, dpi=130)
        os.replace(temporary, path)
    except OSError as error:
        raise ResultError(f"cannot be written: {error.strerror}", where=str(path)) from None
    finally:
        with suppress(OSError):  # what could not be made cannot be removed
            temporary.unlink(missing_ok=True)
