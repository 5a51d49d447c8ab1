"""Statistics of the values that go through a model."""
