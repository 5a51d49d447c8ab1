"""What the network carried: its links coloured by their load, the busiest, and those that were waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.report.html import words
from pimsim.report.html.bars import Bit, bars
from pimsim.report.html.pieces import Chart, Piece, Section, Table, Text
from pimsim.report.html.style import BLUE, HEAT, RED, TEXT
from pimsim.report.html.tile_map import chip_labels, scaled
from pimsim.report.network_plot import beside, both_ways
from pimsim.report.tables import share

if TYPE_CHECKING:
    from pimsim.report.html.places import Places
    from pimsim.result.result import Result

TOP, WAITED = 20, 12


def links(result: Result, places: Places) -> Section:
    """Return the load of a run's networks."""
    rows = result.network["links"]
    fidelity = (
        "The network was simulated by packet, which is approximate: packets hold each link for their flits, and wait "
        "before it without bound."
        if result.network["approximate"]
        else "The network was simulated flit by flit."
    )
    pieces: list[Piece] = [Text(fidelity)]
    if not rows:
        return Section("network", "Network", [*pieces, Text("No link carried anything.")])
    pieces += [link_map(result, places), busiest(result)]
    if any(row["critical_fs"] for row in rows):
        pieces.append(congestion(result))
    else:
        pieces.append(Text("The critical path never waited for a link that was taken: no congestion."))
    return Section("network", "Network", pieces)


def name_of(row: dict[str, Any]) -> str:
    """Return what a link is called."""
    return f"chip{row['chip']}.{row['from']}-{row['to']}"


def busiest(result: Result) -> Chart:
    """Return the links with the highest utilisation."""
    rows = sorted(result.network["links"], key=lambda row: (-row["utilisation"], name_of(row)))
    shown = rows[:TOP]
    bits = [
        Bit(
            name_of(row),
            "in use",
            row["utilisation"],
            {
                "link": name_of(row),
                "in use": share(row["utilisation"]),
                "flits": f"{row['flits']:,}",
                "waited for, by all": words.time(row["waited_fs"]),
            },
        )
        for row in shown
    ]
    cells = [
        [
            name_of(row),
            share(row["utilisation"]),
            f"{row['flits']:,}",
            words.time(row["waited_fs"]),
            words.time(row["critical_fs"]),
        ]
        for row in rows
    ]
    about = "Share of the run that a link carried flits, each direction for itself."
    if len(rows) > TOP:
        about += f" The {TOP} busiest of {len(rows)} that carried anything; the table has all."
    columns = ["link", "in use", "flits", "waited for by all packets", "by the critical path"]
    spec = bars(bits, words.Scale(1, ""), "in use, share of the run", {"in use": BLUE}, share=True)
    table = Table("Links that carried anything", columns, cells, closed=True)
    return Chart("links", "Busiest links", about, spec, table)


def congestion(result: Result) -> Chart:
    """Return the links that the critical path waited for."""
    waited = [row for row in result.network["links"] if row["critical_fs"]]
    rows = sorted(waited, key=lambda row: (-row["critical_fs"], name_of(row)))
    shown = rows if len(rows) <= WAITED + 1 else rows[:WAITED]
    figures = [(name_of(row), row["critical_fs"], share(row["utilisation"])) for row in shown]
    if rows[len(shown) :]:
        rest = sum(row["critical_fs"] for row in rows[len(shown) :])
        figures.append((f"{len(rows) - len(shown)} other links", rest, "various"))
    bits = [
        Bit(
            name,
            "waited",
            fs,
            {
                "link": name,
                "waited": words.time(fs),
                "share of the latency": share(fs / result.latency_fs),
                "in use": use,
            },
        )
        for name, fs, use in figures
    ]
    cells = [
        [
            name_of(row),
            words.time(row["critical_fs"]),
            f"{row['critical_fs']:,} fs",
            share(row["critical_fs"] / result.latency_fs),
            share(row["utilisation"]),
        ]
        for row in rows
    ]
    whole = sum(row["critical_fs"] for row in rows)
    about = (
        f"How long the critical path waited because a link was taken: {words.time(whole)} in all, "
        f"{share(whole / result.latency_fs)} of the latency."
    )
    unit = words.time_scale(max(fs for _, fs, _ in figures))
    return Chart(
        "congestion",
        "Congestion on the critical path",
        about,
        bars(bits, unit, "waited on the critical path", {"waited": RED}),
        Table(
            "Congestion by link",
            ["link", "waited", "exactly", "share of the latency", "in use"],
            cells,
            closed=True,
        ),
        wide=True,
    )


def link_map(result: Result, places: Places) -> Chart:
    """Return routers and links at their places, links coloured by the share of the run that they were in use."""
    used = {(row["chip"], row["from"], row["to"]): row for row in result.network["links"]}
    lines = []
    for chip in range(places.shown):
        for a, b in both_ways(places.graph):
            row = used.get((chip, a, b))
            (x, y), (x2, y2) = beside(places.at(a, chip), places.at(b, chip))
            kinds = {places.graph.nodes[node]["kind"] for node in (a, b)}
            line = dict(zip(("x", "y", "x2", "y2"), map(words.rounded, (x, y, x2, y2)), strict=True))
            lines.append(
                {
                    **line,
                    "w": 1 if kinds == {"router"} else 0,
                    "u": words.rounded(row["utilisation"]) if row else None,
                    "n": name_of(row) if row else "",
                    "tu": share(row["utilisation"]) if row else "",
                    "tf": f"{row['flits']:,}" if row else "",
                }
            )
    lines.sort(key=lambda line: line["u"] or 0)  # the busiest on top
    nodes = [
        {
            "x": words.rounded(places.at(node, chip)[0]),
            "y": words.rounded(places.at(node, chip)[1]),
            "k": data["kind"],
            "n": str(data["index"]),
        }
        for chip in range(places.shown)
        for node, data in places.graph.nodes(data=True)
    ]
    rows = sorted(result.network["links"], key=lambda row: (row["chip"], -row["utilisation"], name_of(row)))
    cells = [[name_of(row), share(row["utilisation"])] for row in rows]
    about = (
        "Routers (squares with their numbers), tiles (small squares), external links and memory ports (circles); the "
        "two directions of a link lie side by side, the thicker and redder the longer they were in use. Grey ones "
        "carried nothing."
    )
    return Chart(
        "link-map",
        "Links by their load",
        about + places.rest,
        _spec(lines, nodes, places, max((row["utilisation"] for row in rows), default=0) or 1),
        Table("Links by their load", ["link", "in use, share of the run"], cells, closed=True),
        mode="vega",
    )


def _spec(
    lines: list[dict[str, Any]], nodes: list[dict[str, Any]], places: Places, highest: float
) -> dict[str, Any]:
    centre = {"x": {"signal": "datum.x * one"}, "y": {"signal": "datum.y * one"}}
    colour = f"isValid(datum.u) ? scale('load', datum.u) : '{TEXT}'"
    thick = (
        "isValid(datum.u) ? (1.2 + datum.w) * (0.6 + 1.4 * datum.u / most) * clamp(one / 50, 0.5, 1.5) : 0.6"
    )
    return {
        "padding": 1,
        "autosize": {"type": "pad"},
        "signals": [*scaled(places), {"name": "most", "value": highest}],
        "data": [
            {"name": "lines", "values": lines},
            {"name": "nodes", "values": nodes},
            {"name": "chips", "values": places.labels()},
        ],
        "scales": [{"name": "load", "type": "linear", "domain": [0, highest], "range": HEAT}],
        "legends": [
            {
                "fill": "load",
                "type": "gradient",
                "orient": "bottom",
                "direction": "horizontal",
                "gradientLength": {"signal": "min(width, 300)"},
                "title": "in use, share of the run",
                "format": ".2~p",
                "tickCount": 4,
            }
        ],
        "marks": [
            chip_labels(),
            {
                "type": "rule",
                "from": {"data": "lines"},
                "encode": {
                    "enter": {"stroke": {"signal": colour}},
                    "update": {
                        **centre,
                        "x2": {"signal": "datum.x2 * one"},
                        "y2": {"signal": "datum.y2 * one"},
                        "strokeWidth": {"signal": thick},
                        "strokeOpacity": {"signal": "isValid(datum.u) ? 1 : 0.35"},
                        "tooltip": {
                            "signal": "datum.n ? {'link': datum.n, 'in use': datum.tu, 'flits': datum.tf} : null"
                        },
                    },
                },
            },
            {
                "type": "symbol",
                "from": {"data": "nodes"},
                "interactive": False,
                "encode": {
                    "enter": {"stroke": {"value": TEXT}, "strokeWidth": {"value": 0.8}},
                    "update": {
                        **centre,
                        "shape": {
                            "signal": "datum.k == 'gateway' || datum.k == 'memory' ? 'circle' : 'square'"
                        },
                        "size": {"signal": "pow(clamp(one * (datum.k == 'router' ? 0.24 : 0.1), 3, 24), 2)"},
                        "fill": {
                            "signal": "datum.k == 'router' ? '#40474e' : datum.k == 'gateway' ? '#c26a97' "
                            ": datum.k == 'memory' ? '#4c78a8' : '#9aa4ad'"
                        },
                    },
                },
            },
            {
                "type": "text",
                "from": {"data": "nodes"},
                "interactive": False,
                "encode": {
                    "enter": {"align": {"value": "center"}, "baseline": {"value": "middle"}},
                    "update": {
                        **centre,
                        "fill": {"value": "white"},
                        "fontSize": {"signal": "clamp(one * 0.15, 6, 12)"},
                        "text": {"signal": "datum.k == 'router' && one >= 40 ? datum.n : ''"},
                    },
                },
            },
        ],
    }
