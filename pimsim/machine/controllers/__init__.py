"""Controllers: SimPy processes that run sites and parts beside serving visitors."""
