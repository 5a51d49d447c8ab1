"""A live simulation of a chip under a plan: SimPy holds control, the compiled core does the work."""
