"""Pacing per receiver: a pure controller from evidence and time to admissions and releases."""

from __future__ import annotations

from policyd.throttle.book.dispatch import Queued, Release
from policyd.throttle.book.door import Admission
from policyd.throttle.controller import Controller
from policyd.throttle.evidence import Evidence, Lane, from_delivery, from_status, is_own_hold
from policyd.throttle.lane.state import LaneState, State
from policyd.throttle.settings.pacing import Limits, MailClass, PacingSettings, Reaction

__all__ = [
    "Admission",
    "Controller",
    "Evidence",
    "Lane",
    "LaneState",
    "Limits",
    "MailClass",
    "PacingSettings",
    "Queued",
    "Reaction",
    "Release",
    "State",
    "from_delivery",
    "from_status",
    "is_own_hold",
]
