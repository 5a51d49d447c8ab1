"""Runs: a chip, a trace and options in, a result out."""
