"""The network, flit by flit: its fabric, traffic of its own, and what it does under load."""
