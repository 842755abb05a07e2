"""One log, and every place that tells a number of it: they tell the same."""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from policyd import sample
from policyd.cli import main
from tests.policyd.daemon_process import DaemonProcess

OUTCOMES = ("sent", "deferred", "bounced")
# what no rule knows, broken lines and a second shape: numbers that are not zero everywhere
ODD = """\
{stamp} mx postfix/smtp[9]: 4odd1: to=<a@odd.example>, relay=mx.odd.example[192.0.2.7]:25, \
delay=1, delays=0.1/0/0.5/0.4, dsn=4.0.0, status=deferred \
(host mx.odd.example[192.0.2.7] said: 450 Wibble)
{stamp} mx postfix/smtp[9]: 4odd2: to=<b@odd.example>, relay=mx.odd.example[192.0.2.7]:25, oops
"""


class Told:
    """What each place says."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.state: Any = json.loads(daemon.get("/api/state"))
        self.page = daemon.get("/")
        self.series = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(daemon.get("/metrics"))
            for sample in family.samples
        ]
        socket = f"{daemon.folder}/control"
        self.throttle = command("throttle", "list", "--json", "--socket", socket)
        daemon.stop()  # with everything committed
        self.report = command("report", "--json", str(daemon.log))
        at = ("--state", daemon.sections["state"]["file"])
        self.history = {
            name: command("history", name, "--json", "--since", "2d", *at)["cells"]
            for name in self.rows
        }

    @property
    def rows(self) -> dict[str, Any]:
        """Receivers of the state."""
        return {row["id"]: row for row in self.state["receivers"]}

    def by(self, name: str, *labels: str, **only: str) -> Counter[tuple[str, ...]]:
        """A metric by some of its labels."""
        found: Counter[tuple[str, ...]] = Counter()
        for series, told, value in self.series:
            if series == name and all(told[key] == wanted for key, wanted in only.items()):
                found[tuple(told[label] for label in labels)] += int(value)
        return found

    def past(self, kind: str) -> Counter[tuple[str, str]]:
        """The remembered cells, added up by receiver and word."""
        found: Counter[tuple[str, str]] = Counter()
        for name, cells in self.history.items():
            for cell in cells:
                found.update({(name, word): number for word, number in cell[kind].items()})
        return found


def command(*words: str) -> Any:
    """What a command prints as JSON."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(list(words)) == 0
    return json.loads(said.getvalue())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """All places, asked when the daemon has read and written everything."""
    daemon = DaemonProcess(tmp_path_factory.mktemp("daemon"))
    now = time.time()
    with daemon.log.open("wb") as log:
        for at, line in sample.lines(now - 90_000, 1.0):
            if at > now - 60:
                break
            log.write(line)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 50))
        log.write(ODD.format(stamp=stamp).encode())
    daemon.start()
    try:
        lines = daemon.log.read_bytes().count(b"\n")
        daemon.until(lambda: daemon.metric("mxheed_log_lines_total") == lines, "all lines", 60)
        told = Told(daemon)
    finally:
        daemon.stop()
    return told


def test_recipients_by_outcome(told: Told) -> None:
    """Of each receiver: state, metrics, history and report agree."""
    rows = {
        (name, outcome): number
        for name, row in told.rows.items()
        for outcome, number in row["outcomes"].items()
    }
    assert sum(rows.values()) > 2000
    assert told.by("mxheed_deliveries_total", "receiver", "outcome") == rows
    assert told.past("outcomes") == rows
    reported = {
        (row["receiver"], outcome): number
        for row in told.report["receivers"]
        for outcome, number in row["outcomes"].items()
    }
    assert {key: n for key, n in reported.items() if n and key[1] in OUTCOMES} == {
        key: n for key, n in rows.items() if key[1] in OUTCOMES
    }


def test_sums(told: Told) -> None:
    """The totals on the page are those of the state, of the report, and of all series together."""
    totals = told.state["totals"]
    for outcome in OUTCOMES:
        number = totals["outcomes"][outcome]
        assert number > 0
        assert number == told.by("mxheed_deliveries_total", "outcome")[(outcome,)]
        assert number == told.report["outcomes"][outcome]
        assert re.search(rf'<p class="{outcome}"><b>{_spelled(number)}</b>', told.page)
    unclassified = totals["unclassified"]
    assert 0 < unclassified == sum(told.by("mxheed_replies_unclassified_total").values())
    assert f"<b>{_spelled(unclassified)}</b> unclassified" in told.page
    assert unclassified == sum(row["count"] for row in told.report["unclassified"])


def test_replies_by_category(told: Told) -> None:
    """What refusals mean: state, metrics, history and report count the same."""
    rows = {
        (name, category): number
        for name, row in told.rows.items()
        for category, number in row["categories"]
    }
    metrics = told.by("mxheed_replies_total", "receiver", "category")
    assert {key: n for key, n in metrics.items() if key[1] != "accepted"} == rows
    assert told.past("replies") == metrics
    reported: Counter[tuple[str, str]] = Counter()
    for row in told.report["refusals"]:
        reported[row["receiver"], row["category"]] += row["replies"]
    assert {key: rows[key] for key in reported} == reported
    assert told.report["left"]["refusals"] or reported == rows


def test_delays(told: Told) -> None:
    """As many delays are on /metrics as are remembered, and their parts are as long."""
    metrics = told.by("mxheed_delivery_delay_seconds_count", "receiver", part="total")
    remembered: Counter[tuple[str, ...]] = Counter()
    for (name, _), number in told.past("delays").items():
        remembered[name,] += number
    assert remembered == metrics
    for part in ("before_queue", "in_queue", "connect", "send"):
        for end, key in (("count", "count"), ("sum", part)):
            shown = Counter[str]()
            for name, labels, value in told.series:
                if name == f"mxheed_delivery_delay_seconds_{end}" and labels["part"] == part:
                    shown[labels["receiver"]] += value  # type: ignore[assignment]
            kept = {name: told.past("delay_parts")[name, key] for name in shown}
            assert kept == pytest.approx(dict(shown), abs=1e-3)
            assert sum(kept.values()) > 0


def test_lines(told: Told) -> None:
    """Lines read and lines that could not be: state, metrics, page and report."""
    log = told.state["log"]
    for where, metric in (
        ("lines", "mxheed_log_lines_total"),
        ("unparsed", "mxheed_log_unparsed_total"),
    ):
        assert log[where] == told.by(metric)[()] == told.report[where] > 0
        assert told.by(metric.replace("_log_", "_log_source_"))[()] == log[where]
        assert _spelled(log[where]) in told.page


def test_what_waits_and_what_is_done_about_it(told: Told) -> None:
    """Lanes, what is held and what is deferred: state, metrics, page and `mxheed throttle list`."""
    totals = told.state["totals"]
    assert totals["held"] == told.by("mxheed_held_messages")[()]
    assert totals["deferred"] == told.by("mxheed_deferred_messages")[()]
    assert f"<b>{_spelled(totals['deferred'])}</b> deferred by them" in told.page
    lanes = {
        (row["id"], lane["pool"]): lane for row in told.state["receivers"] for lane in row["lanes"]
    }
    assert lanes
    states = told.by("mxheed_throttle_state", "receiver", "pool", "state")
    for (name, pool), lane in lanes.items():
        assert states[name, pool, lane["state"]] == 1
    listed = {(lane["receiver"], lane["pool"]): lane for lane in told.throttle["lanes"]}
    assert listed
    for key, lane in listed.items():
        for field in ("state", "held", "deferred", "rate", "stops"):
            assert lane[field] == lanes[key][field], (key, field)


def _spelled(number: int) -> str:
    """As the page writes it."""
    return f"{number:,}".replace(",", "\u202f")
