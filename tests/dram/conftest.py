"""Channels that are run in this folder are checked."""

from .checked import no_constraint_is_broken  # noqa: F401
