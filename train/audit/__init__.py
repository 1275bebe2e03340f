"""Copies within and between image sets, and what they do to the published splits."""

from __future__ import annotations

import logging

# Least similarity of a copy. Where it comes from: train/README.md, "Leakage audit".
COPY_FROM = 0.94

# On import it lists the builds it tries, as if each were a failure.
logging.getLogger("faiss.loader").setLevel(logging.WARNING)
