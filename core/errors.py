"""Errors that reach people. Each says what came, what was expected and what to do."""

from __future__ import annotations


class NeuroTriageError(Exception):
    """Base of every error this project raises on purpose."""


class InputError(NeuroTriageError):
    """What came from outside cannot be used. Its text is shown to the clinician as it is."""


class ConflictError(NeuroTriageError):
    """Somebody else changed the case in the meantime. Nothing was written; its text is shown."""


class RuleError(NeuroTriageError):
    """The rules of reading forbid the step, such as confirming one's own reading. Text is shown."""


class StoreError(NeuroTriageError):
    """The database or the file store is absent, damaged or of another version."""


class WeightsError(NeuroTriageError):
    """Weights, graph or manifest are missing, damaged or made for other code."""


class DataError(NeuroTriageError):
    """A training data set is absent or not laid out as its adapter expects."""
