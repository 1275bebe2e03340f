"""Simulated sample scans: the script that makes them, and the files it made (``cases/``)."""
