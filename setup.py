"""Build the compiled core; everything else about the package is in pyproject.toml.

Set ``PIMSIM_BOUNDS_CHECKS=1`` to build kernels that check every index (slower; CI runs them once).
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

checked = os.environ.get("PIMSIM_BOUNDS_CHECKS") == "1"
level = "-O1" if checked else "-O3"
modules = [
    *("event_queue", "critical_path", "time_bins", "network", "clock", "token_game", "annealing"),
    *(
        "records",
        "state",
        "streams",
        "gates",
        "service",
        "queue",
        "crossbar",
        "ports",
        "kernel",
        "figures",
        "engine",
        "dram_timing",
        "dram_queues",
        "dram_time",
        "dram_log",
        "dram",
        "dram_ports",
        "dram_program",
        "conversion",
    ),
]

cores = os.cpu_count() or 1

if __name__ == "__main__":  # processes that translate sources may import this
    setup(
        ext_modules=cythonize(
            [
                Extension(f"pimsim_core.{name}", [f"pimsim_core/{name}.pyx"], extra_compile_args=[level])
                for name in modules
            ],
            compiler_directives={
                "language_level": "3",
                "boundscheck": checked,
                "wraparound": False,
                "cdivision": True,
                "initializedcheck": False,
                "embedsignature": True,
            },
            build_dir="build/checked" if checked else "build/plain",  # C files of the two do not mix
            nthreads=cores,
        ),
        options={"build_ext": {"parallel": cores}},
    )
