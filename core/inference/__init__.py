"""From scans to analyses."""

from core.inference.engine import Engine

__all__ = ["Engine"]
