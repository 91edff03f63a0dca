"""Logs that tell of no application: each is named with its reason, the others go on."""

from typing import NamedTuple

from r2d2.errors import R2D2Error


class EventLogError(R2D2Error):
    """An event log cannot be read, or tells of no application."""


class Refused(NamedTuple):
    """A log or file that was left out, and why."""

    path: str
    reason: str
