"""Copies within and between image sets, and what they do to the published splits."""
