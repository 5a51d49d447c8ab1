"""A trace as positions, tokens and edges."""
