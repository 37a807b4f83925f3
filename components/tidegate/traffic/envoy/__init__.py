"""Envoy as a data plane: its configuration as pure functions, its files, its admin interface."""
