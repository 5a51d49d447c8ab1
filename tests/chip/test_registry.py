"""Plug-ins: what a package offers as entry points, or registers, can be used, and what is wrong with one is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

import pytest
from click.testing import CliRunner

from pimsim import registry
from pimsim.chip import Chip
from pimsim.chip.parts import Adc
from pimsim.chip.parts.clock import Clocks
from pimsim.chip.topology import Topology
from pimsim.chip.topology.mesh import Mesh
from pimsim.chip.topology.spec import from_spec
from pimsim.cli import cli
from pimsim.errors import ConfigError
from pimsim.kinds.memory import Memory
from pimsim.trace import Op, Operand, Tensor, Trace

Install = Callable[..., None]


@pytest.fixture(autouse=True)
def _forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test plugs in is gone after it."""
    for name, value in (
        ("_found", {}),
        ("_broken", {}),
        ("_registered", {group: {} for group in registry.GROUPS}),
        ("_loaded", []),
    ):
        monkeypatch.setattr(registry, name, value)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make packages that Python finds as if they were installed: a module, and what it offers."""

    def made(module: str, source: str, **offers: str) -> None:
        monkeypatch.syspath_prepend(str(tmp_path))
        (tmp_path / f"{module}.py").write_text(dedent(source))
        folder = tmp_path / f"{module}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = [
            f"[pimsim.{group}]\n{text.replace('=', f' = {module}:')}\n" for group, text in offers.items()
        ]
        (folder / "entry_points.txt").write_text("\n".join(lines))

    return made


def refusal(make: Callable[..., Any], *arguments: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        make(*arguments)
    return caught.value


class Sar(Adc):
    """A converter that takes a cycle a bit.

    Parameters
    ----------
    sample_cycles : int
        Cycles before the first bit.
    """

    kind: Literal["sar"] = "sar"
    sample_cycles: int = 1

    def conversion_fs(self, samples: int, clocks: Clocks) -> int:
        """A cycle a bit."""
        return super().conversion_fs(samples, clocks) * (self.bits + self.sample_cycles)


# -- through the door ----------------------------------------------------------------------------------------------


def test_a_part_from_outside_stands_in_a_chip_file_and_works() -> None:
    """Eight bits and a cycle to sample: the conversion of 128 columns takes nine times as long as that of ISAAC's."""
    registry.register(Sar)
    sites = {"tile": {"core": {"adc": {"kind": "sar"}}}}
    chip = Chip.from_dict({"extends": "isaac", "sites": sites})
    core, clocks = chip.config.sites["tile"].core, chip.config.clocks
    assert isinstance(core.adc, Sar)
    assert core.conversion_fs(clocks) == 128 * 781_250 * 9
    assert Chip.from_dict(chip.to_dict()).digest == chip.digest != Chip.load("isaac").digest
    assert Chip.load("isaac", ["core.adc.kind=sar"]).digest == chip.digest
    assert (
        Chip.load("isaac", ["core.adc.kind=sar", "core.adc.sample_cycles=2"])
        .config.sites["tile"]
        .core.adc.bits
        == 8
    )


def test_the_kind_of_the_part_that_is_meant_anyway_may_be_said() -> None:
    assert Chip.load("isaac", ["core.adc.kind=adc"]).digest == Chip.load("isaac").digest


def test_a_part_of_another_sort_does_not_fit() -> None:
    assert str(refusal(Chip.load, "isaac", ["core.adc.kind=dac"])) == (
        "--set core.adc.kind=dac: sites.tile.core.adc.kind: found kind 'dac', expected one of: adc"
    )


def test_a_topology_from_an_installed_package_in_a_chip_file_and_on_the_command_line(
    install: Install,
) -> None:
    install(
        "lines",
        '''
        from typing import ClassVar, Literal
        from pimsim.chip.topology.mesh import Grid

        class Line(Grid):
            """Routers in a row.

            Parameters
            ----------
            long : int
                Routers.
            """

            deadlock_free: ClassVar[str] = "no route turns back"
            spec: ClassVar[str] = "line:4"
            numbers: ClassVar[tuple[str, ...]] = ("long",)
            kind: Literal["line"]
            long: int

            @property
            def shape(self):
                return self.long, 1
        ''',
        topologies="line=Line",
    )
    chip = Chip.load("isaac", ["tile.count=3", "network.topology={kind: line, long: 3}"])
    assert [node for node in chip.config.graph() if node[0] == "r"] == ["r0", "r1", "r2"]
    assert from_spec("line:5").routers == 5
    assert "line:4" in str(refusal(from_spec, "lime:5"))
    done = CliRunner().invoke(cli, ["noc", "line:4", "--pattern", "neighbor", "--rate", "0.1"])
    assert done.exit_code == 0, done.output


def test_a_kind_from_outside_is_a_site_like_any_other() -> None:
    class Vault(Memory):
        """A memory that is never full.

        Parameters
        ----------
        locks : int
            Locks of a port.
        """

        kind: Literal["vault"] = "vault"  # type: ignore[assignment]
        locks: int

    registry.register(Vault)
    memory = {
        "kind": "vault",
        "count": 2,
        "bandwidth_gb_per_s": 1,
        "latency_ns": 1,
        "capacity_gib": 1,
        "locks": 3,
    }
    assert Chip.load("isaac", {"sites.vault": memory}).config.memory.locks == 3
    error = refusal(Chip.load, "isaac", {"sites.vault": {**memory, "lock": 1}})
    assert "found the unknown key 'lock', expected a known one; did you mean 'locks'?" in str(error)


def test_an_importer_from_outside_exports_by_its_name(tmp_path: Path) -> None:
    def listed(source: str, *, model: str, command: str) -> Trace:
        size = int(source)
        x = Operand("activation", Tensor((1, size)), "x")
        weight = Operand("weight", Tensor((size, 2)))
        ops = [Op("x", "Input", (), (Tensor((1, size)),)), Op("m", "MatMul", (x, weight), (Tensor((1, 2)),))]
        return Trace.from_ops(model, ops, header={"source": {"size": size}, "command": command})

    registry.register(listed, "listed", group="importers")
    path = tmp_path / "made.jsonl"
    done = CliRunner().invoke(cli, ["trace", "export", "listed:7", "-o", str(path)])
    assert done.exit_code == 0, (done.output, done.exception)
    trace = Trace.load(path)
    assert (trace.weights, trace.model) == (14, "made")
    assert trace.header["source"] == {"size": 7}


def test_what_is_registered_stands_for_itself() -> None:
    assert registry.register(Sar) is Sar
    assert registry.register(Sar) is Sar  # twice is once
    assert registry.plugged("parts")["sar"] is Sar
    assert registry.find("parts", "sar") is Sar
    assert [registry.name_of(each) for each in (Sar, Mesh, Memory, Adc)] == ["sar", "mesh", "memory", "Adc"]


def test_a_module_is_loaded_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "registers_one.py").write_text(
        "import pimsim.registry\n\npimsim.registry.register(print, 'shout', group='importers')\n"
    )
    registry.load_module("registers_one")
    assert registry.find("importers", "shout") is print
    error = refusal(registry.load_module, "there_is_none_such")
    assert error.where == "--plugin"
    assert "'there_is_none_such' cannot be imported (ModuleNotFoundError" in str(error)
    assert isinstance(error.__cause__, ModuleNotFoundError)


# -- what is wrong with one ----------------------------------------------------------------------------------------


def test_what_is_not_there_names_what_is_near() -> None:
    assert str(refusal(registry.find, "topologies", "mash")) == (
        "pimsim.topologies: no topology is called 'mash'; did you mean 'mesh'?"
    )
    assert str(refusal(registry.find, "kinds", "xbar", "mine.yaml: sites.tile")).startswith(
        "mine.yaml: sites.tile: no kind is called 'xbar'; expected one of: crossbar, digital, hbm_pim, memory, "
        "processor"
    )


def test_two_packages_that_offer_one_name_are_both_named(install: Install) -> None:
    install("first", "from pimsim.kinds.memory import Memory as Vault\n", kinds="vault=Vault")
    install("second", "from pimsim.kinds.memory import Memory as Safe\n", kinds="vault=Safe")
    error = refusal(Chip.load, "isaac")
    assert str(error) == "pimsim.kinds: 'vault' is both first:Vault and second:Safe"


def test_a_name_that_is_taken_cannot_be_registered() -> None:
    error = refusal(registry.register, Sar, "adc")
    assert str(error) == (f"pimsim.parts: 'adc' is both pimsim.chip.parts.adc.Adc and {__name__}.Sar")


def test_a_plug_in_that_cannot_be_imported_is_no_harm_until_it_is_asked_for(install: Install) -> None:
    install("needy", "import a_library_that_is_not_there\n", kinds="needy=Needy", topologies="knot=Knot")
    assert Chip.load("isaac").config.tiles == 168
    error = refusal(Chip.load, "isaac", {"sites.other": {"kind": "needy"}})
    assert str(error) == (
        "override sites.other: sites.other.kind: found kind 'needy', expected one of: crossbar, digital, hbm_pim, "
        "memory, processor "
        "(the plug-in 'needy' cannot be imported (No module named 'a_library_that_is_not_there')); "
        "mend or uninstall its package"
    )
    error = refusal(registry.find, "topologies", "knot")
    assert isinstance(error.__cause__, ModuleNotFoundError)


def test_a_plug_in_that_breaks_the_contract_is_told_which_method_lacks(install: Install) -> None:
    install(
        "halves",
        """
        from typing import Literal
        from pimsim.chip.site import Site

        class Half(Site):
            kind: Literal["half"] = "half"

            @classmethod
            def behaviour(cls):
                return cls
        """,
        kinds="half=Half",
    )
    assert str(refusal(Chip.load, "isaac")) == (
        "pimsim.kinds: 'half': halves.Half lacks what every one of them must have: clocked (Yield the parts that have "
        "a clock, by their path below the site, with its name), uses (Yield what all sites of this name are made of, "
        "and what each part does at its peak)"
    )


@pytest.mark.parametrize(
    ("thing", "group", "error"),
    [
        (Adc, "kinds", "pimsim.kinds: 'thing': found <class 'pimsim.chip.parts.adc.Adc'>, expected a class that "
         "extends pimsim.chip.site.Site"),
        (3, "topologies", "pimsim.topologies: 'thing': found 3, expected a class that extends "
         "pimsim.chip.topology.base.Topology"),
        ("text", "importers", "pimsim.importers: 'thing': found 'text', expected a function"),
        (Topology, "topologies", "lacks what every one of them must have: graph (Return the graph with the first"),
        (print, "printers", "found the group 'printers', expected one of: kinds, parts, devices, topologies"),
    ],
)  # fmt: skip
def test_what_is_no_such_thing_is_not_plugged_in(thing: Any, group: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        registry.register(thing, "thing", group=group)
    assert error in str(caught.value)
    assert "thing" not in registry.plugged("importers")
