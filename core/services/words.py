"""What results mean, in words: the door through which pages and the command line have them."""

from core.triage.words import (
    BAND_NAMES,
    CLASS_NAMES,
    DISCLAIMER,
    REQUESTED_NAMES,
    STATUS_NAMES,
    WAIT_NAMES,
    against_target,
    diameter,
    distribution_warning,
    duration,
    explanation,
    headline,
    heat_map_meaning,
    mask_meaning,
    measurements,
    percent,
)

__all__ = [
    "BAND_NAMES",
    "CLASS_NAMES",
    "DISCLAIMER",
    "REQUESTED_NAMES",
    "STATUS_NAMES",
    "WAIT_NAMES",
    "against_target",
    "diameter",
    "distribution_warning",
    "duration",
    "explanation",
    "headline",
    "heat_map_meaning",
    "mask_meaning",
    "measurements",
    "percent",
]
