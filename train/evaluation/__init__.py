"""Measuring trained weights."""
