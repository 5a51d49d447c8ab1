"""The compiled core of pimsim: event queue, engine, critical path, token game."""
