"""Options that several commands take."""

from __future__ import annotations

import click

effort = click.option(
    "--effort",
    default="quick",
    metavar="quick|normal|thorough",
    help="How long tiles that are alike change places, so that no link of the network carries much more than it must: "
    "not at all (the default), a second or two a chip, or about fifteen.",
)

mapper = click.option(
    "--mapper",
    default="balanced",
    metavar="NAME",
    help="What makes the plan: balanced (the default), or one of your own that is plugged in.",
)
