"""Numbers beside time: what devices, arrays and converters make of a model's values, from the same chip and plan."""
