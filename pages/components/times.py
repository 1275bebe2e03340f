"""Dates and times as the reader's clock shows them."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def clock(at: datetime) -> str:
    """A moment in the time zone of the reader's browser; the day only where it is not today."""
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local = at.astimezone(zone)
    same_day = local.date() == datetime.now(UTC).astimezone(zone).date()
    return f"{local:%H:%M}" if same_day else f"{day(local)}, {local:%H:%M}"


def day(on: date) -> str:
    """A day, such as 3 May 2024."""
    return f"{on.day} {on:%b %Y}"
