"""Importers of tables that other simulators read."""
