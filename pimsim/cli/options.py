"""Options that several commands take."""

from __future__ import annotations

import click

effort = click.option(
    "--effort",
    default="quick",
    metavar="quick|normal|thorough",
    help="quick (the default) makes one plan. normal makes up to four, which differ in where ops on digital units are, "
    "takes the one with the least expected interval, and lets tiles that are alike change places for a second or two a "
    "chip, so that no link of the network carries much more than it must; thorough for about fifteen.",
)

mapper = click.option(
    "--mapper",
    default="balanced",
    metavar="NAME",
    help="What makes the plan: balanced (the default), or one of your own that is plugged in.",
)

optimize = click.option(
    "--optimize",
    metavar="WHAT",
    help="Plan several ways and take what is predicted to be the best: interval, latency, energy, chips, or several "
    "with weights: interval=2,energy=1.",
)
budget = click.option(
    "--budget", type=int, default=8, metavar="N", help="How many plans --optimize tries (default 8)."
)
