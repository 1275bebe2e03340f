"""Errors that reach people. Each says what came, what was expected and what to do."""

from __future__ import annotations


class NeuroTriageError(Exception):
    """Base of every error this project raises on purpose."""


class InputError(NeuroTriageError):
    """A file that cannot be analysed. Its text is shown to the clinician as it is."""


class WeightsError(NeuroTriageError):
    """Weights, graph or manifest are missing, damaged or made for other code."""


class DataError(NeuroTriageError):
    """A training data set is absent or not laid out as its adapter expects."""
