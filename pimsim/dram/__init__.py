"""DRAM on its own: standards as data, the controller's policy, traffic, and what a channel makes of it."""
