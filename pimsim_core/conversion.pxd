"""Contract of the converters: nothing but what Python calls."""
