"""A port of a chip that names a memory standard instead of a bandwidth."""

from __future__ import annotations

import pytest

import pimsim
from pimsim.chip import Chip
from pimsim.dram.load import load_standard, names
from pimsim.dram.port import measured
from pimsim.errors import ConfigError
from pimsim.run.generate import generate
from pimsim.units import FS_PER_S

from ..transformers import decoder

NULLS = {f"memory.{key}": None for key in ("bandwidth_gb_per_s", "latency_ns", "energy_per_bit_pj")}
SMALL = {  # a cache that has no room in the tiles
    "tile.count": 4,
    "tile.cores": 2,
    "core.arrays": 4,
    "core.adc.banks": 2,
    "network.topology": {"kind": "mesh", "width": 2, "height": 2},
    "tile.buffer.capacity_kib": 2.0,
}


def chip(name, **more):
    return Chip.load("hermes_llm", {**SMALL, **NULLS, "memory.standard": name, **more})


@pytest.mark.parametrize("name", names())
def test_a_port_has_what_a_channel_gives(name):
    """The same figures as `pimsim.memory` reports of a stream, and the closed form of a lone read."""
    standard, memory = load_standard(name), chip(name).config.memory
    stream = pimsim.memory(name, requests=20_000).figures
    assert memory.rate_gb_per_s == stream["bandwidth_gb_per_s"]
    assert memory.byte_fs == round(FS_PER_S / (stream["bandwidth_gb_per_s"] * 1e9))
    assert memory.per_second() == memory.count * stream["bandwidth_gb_per_s"] * 8e9
    assert standard.period_ns * standard.of(standard.read_latency) < memory.delay_ns < 100
    energy = stream["energy_pj"]
    assert memory.action_pj == (energy["per_bit"] if isinstance(energy, dict) else None)
    found = measured(name)
    assert found.random_gb_per_s < found.stream_gb_per_s < found.peak_gb_per_s


def test_a_run_takes_as_long_as_with_the_same_numbers_and_says_that_it_is_approximate():
    named = chip("ddr4_2400")
    found = measured("ddr4_2400")
    stated = chip(
        None,
        **{
            "memory.bandwidth_gb_per_s": found.stream_gb_per_s,
            "memory.latency_ns": found.latency_ns,
            "memory.energy_per_bit_pj": found.stream_pj_per_bit,
        },
    )
    model = decoder(1, 4, 32)
    one, two = (generate(each, model, 48, 3, requests=2, places=2) for each in (named, stated))
    other = generate(chip("hbm2"), model, 48, 3, requests=2, places=2)
    assert one.latency_fs == two.latency_fs != other.latency_fs
    assert one.energy_pj == two.energy_pj
    note = next(note for note in one.notes if note.startswith("memory: approximate"))
    assert f"{found.stream_gb_per_s:.4g} GB/s" in note
    assert f"{found.random_gb_per_s:.4g}" in note
    assert not any(note.startswith("memory:") for note in two.notes)


def test_a_chip_that_names_a_standard_is_written_and_read():
    one = chip("hbm3")
    again = Chip.from_dict(one.to_dict())
    assert again.digest == one.digest != chip("hbm2").digest
    assert again.config.memory.rate_gb_per_s == one.config.memory.rate_gb_per_s
    assert Chip.from_dict(one.to_dict(), {"memory.standard": "hbm2"}).digest == chip("hbm2").digest


def test_a_faster_one_is_no_standards():
    memory = chip("hbm2").config.memory
    fast = chip("hbm2", **{f"memory.{key}": value for key, value in memory.faster(2).items()}).config.memory
    assert (fast.standard, fast.rate_gb_per_s) == (None, 2 * memory.rate_gb_per_s)
    assert (fast.delay_ns, fast.action_pj) == (memory.delay_ns / 2, memory.action_pj)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"memory.standard": "hbm2"},
            "bandwidth_gb_per_s: found 128.0, expected null, since the standard hbm2 says it",
        ),
        (
            {**NULLS, "memory.standard": "hmb2"},
            "standard: found 'hmb2', expected a memory standard; did you mean 'hbm2'",
        ),
        (
            {"memory.bandwidth_gb_per_s": None},
            "bandwidth_gb_per_s: found None, expected a number, or the key 'standard'",
        ),
        ({"memory.latency_ns": None}, "latency_ns: found None, expected a number, or the key 'standard'"),
    ],
)
def test_what_is_said_twice_or_not_at_all_is_refused(overrides, message):
    with pytest.raises(ConfigError) as caught:
        Chip.load("hermes_llm", overrides)
    assert message in str(caught.value)
