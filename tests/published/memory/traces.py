"""The lists of requests that the other simulators had, and their figures."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from pimsim.dram.load import load_standard
from pimsim.dram.requests import Requests
from pimsim.dram.trace import read_trace

FOLDER = Path(__file__).parent
COUNT = 10_000


def standard(name):
    return load_standard(FOLDER / f"{name}.yaml")


def rows():
    with (FOLDER / "figures.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def requests(trace, memory) -> Requests:
    if trace in ("rand", "rand_writes"):
        read = read_trace(FOLDER / "hbm2_rand.csv.gz", memory)
        return read if trace == "rand" else replace(read, write=(read.row + read.column) % 2 == 1)
    i, columns, banks = np.arange(COUNT), memory.columns, 16  # both have four groups of four
    write = np.zeros(COUNT, dtype=bool)
    if trace == "pingpong":
        return Requests(write, 0 * i, i % 2, i // 2 % columns)
    if trace == "mixed":
        write, each = i % 2 == 1, i // 2
    else:
        each = i
    # banks before groups: place p is bank p mod 4 of group p div 4
    bank = each // columns % banks
    return Requests(write, bank, each // (columns * banks) + 8192 * write, each % columns)
