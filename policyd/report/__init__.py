"""The report over whole logs: who defers and rejects our mail, and why.

    read   → Tally      what was counted, bounded and mergeable
    summary → Summary   ranked rows with rates, frozen
    text · page · data  the summary for a terminal, as an HTML page, as JSON

Contract: everything behind `read` is pure. Failure: sources that cannot be read are named in
`Reading.problems` and leave the rest of the report standing.
"""

from __future__ import annotations

from policyd.report.read import STDIN, ReadLogs, read_all, total_size
from policyd.report.rows import Settings, Summary
from policyd.report.summary import summarise
from policyd.report.tally import Tally

__all__ = [
    "STDIN",
    "ReadLogs",
    "Settings",
    "Summary",
    "Tally",
    "read_all",
    "summarise",
    "total_size",
]
