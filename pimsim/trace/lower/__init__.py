"""What a trace has no op for, taken apart into ops that it has: recurrent layers, attention, sums by Einstein, …

Each front end brings a `Maker`; what is made of an op stands here once for all of them.
"""
