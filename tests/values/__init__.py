"""What a crossbar computes: arithmetic, devices, wires, answers."""
