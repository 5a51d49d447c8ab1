"""Seating: which tile of those that are alike does what, so that no link of the network carries more than it must."""
