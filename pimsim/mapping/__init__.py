"""From a trace and a chip to a plan, and from a plan to the numbers that the engine runs."""
