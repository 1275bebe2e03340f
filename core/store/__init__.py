"""Rows and files: the only place that knows SQL and paths."""
