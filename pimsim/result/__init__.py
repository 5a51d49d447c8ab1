"""The frozen outcome of one run."""
