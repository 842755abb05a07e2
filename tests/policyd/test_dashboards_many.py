"""Every query of the dashboards, asked of a real Prometheus with 120 receivers on three machines.

Three servers tell what the table of metrics has, rendered as the daemon renders it; the week before
is written into Prometheus's storage first. No panel may have more lines than can be told apart.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from policyd.counting.histogram import Histogram
from policyd.metrics.exposition import Exposition, Family
from policyd.metrics.table import STATES, TABLE
from policyd.web.status import MODES
from tests.policyd.dashboards import DASHBOARDS, panels, queries
from tests.policyd.programs import Program
from tests.policyd.test_prometheus_files import PROMETHEUS, TESTS, yaml

pytestmark = pytest.mark.needs("prometheus", "promtool")

MACHINES, RECEIVERS = 3, 120
MOST = 30  # lines in a panel
PATIENCE = 120.0
VALUES = {
    "receiver": [f"mx:receiver{number}.example" for number in range(RECEIVERS)],
    "pool": [""],
    "state": STATES,
    "mode": MODES,
    "outcome": ["sent", "deferred", "bounced", "suspended", "held"],
    "category": ["accepted", "flow.rate", "reputation.ip", "recipient.unknown", "unknown"],
    "stage": ["rcpt", "eod"],
    "part": ["before_queue", "in_queue", "connect", "send", "total"],
    "log": [f"/var/log/mx{number}/mail.log" for number in range(40)],
    "kind": ["file"],
    "frame": ["rfc3164"],
    "host": [f"mx{number}" for number in range(40)],
    "hook": ["mx", "status", "transport", "policy"],
    "cache": ["hit", "alike", "miss"],
}


def labels(family: Family, machine: int) -> Iterator[tuple[str, ...]]:
    """All label sets of a family; of labels whose values nobody lists, two are made up."""
    values = [VALUES.get(name, [f"{name}1", f"{name}2"]) for name in family.labels]
    for found in product(*values):
        named = dict(zip(family.labels, found, strict=True))
        if named.get("stage") == "eod" and named["category"] != "accepted":
            continue
        yield found


def value(family: Family, found: tuple[str, ...], machine: int, seconds: float) -> Any:
    """Something that moves, and is not the same for all."""
    weight = 1 + (sum(map(ord, "".join(found))) + machine) % 7
    if family.kind == "histogram":
        counts = [int(seconds * weight)] * (len(family.bounds) + 1)
        return Histogram(counts, seconds * weight)
    if family.kind == "counter":
        return int(seconds * weight)
    if family.name.endswith("_timestamp_seconds"):
        return time.time() + (600 if "until" in family.name else -60 * weight)
    if family.name in ("mxheed_throttle_state", "mxheed_mode"):
        order = STATES if family.name == "mxheed_throttle_state" else MODES
        return int(order[(weight + machine) % len(order)] == found[-1])
    return weight % 3 if family.name == "mxheed_receiver_health" else weight


def page(machine: int, seconds: float) -> bytes:
    """What one machine tells."""
    exposition = Exposition(TABLE)
    for family in TABLE:
        numbers = {one: value(family, one, machine, seconds) for one in labels(family, machine)}
        exposition.add(family.name, lambda numbers=numbers: numbers)  # type: ignore[misc]
    process = (
        "process_resident_memory_bytes 5e7\n"
        f"process_start_time_seconds {int(seconds)}\nprocess_cpu_seconds_total {seconds}\n"
    )
    return exposition.render() + process.encode()


class Machine(ThreadingHTTPServer):
    """One machine's /metrics."""

    daemon_threads = True

    def __init__(self, number: int) -> None:
        began = time.monotonic()

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = page(number, 100 + time.monotonic() - began)
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *words: object) -> None:
                """Nobody wants to know."""

        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def name(self) -> str:
        """As Prometheus calls it."""
        return f"127.0.0.1:{self.server_address[1]}"


def last_week(path: Path, names: list[str]) -> None:
    """What `mxheed:refused:share1h` was then, as OpenMetrics."""
    now = time.time()
    lines = ["# TYPE mxheed:refused:share1h gauge"]
    for name, receiver in product(names, VALUES["receiver"]):
        series = f'mxheed:refused:share1h{{instance="{name}",receiver="{receiver}"}}'
        lines += [f"{series} 0.01 {now - 6.5 * 86400 + step:.3f}" for step in (0, 600)]
    path.write_text("\n".join([*lines, "# EOF", ""]))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that has scraped three machines for a while."""
    folder = tmp_path_factory.mktemp("prometheus")
    machines = [Machine(number) for number in range(MACHINES)]
    last_week(folder / "week.txt", [machine.name for machine in machines])
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "week.txt", "data"]
    subprocess.run(blocks, cwd=folder, check=True, capture_output=True)
    config = (PROMETHEUS / "prometheus.yml").read_text().replace("30s", "2s")
    targets = ", ".join(f'"{machine.name}"' for machine in machines)
    (folder / "prometheus.yml").write_text(config.replace('"127.0.0.1:9825"', targets))
    # in these seconds nobody has had fifty attempts yet
    rules = (PROMETHEUS / "mxheed.rules.yml").read_text()
    (folder / "mxheed.rules.yml").write_text(rules.replace(">= 50)", ">= 0)"))
    command = (
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=30d",
        "--web.listen-address=127.0.0.1:0",
    )
    with Program(*command) as server:
        match = server.says(r"Listening on\" address=([\d.]+:\d+)")
        server.says("Server is ready to receive web requests")
        address = f"http://{match[1]}"
        waiting = time.monotonic() + PATIENCE
        while len(ask(address, "mxheed:refused:growth1w")) < MACHINES * RECEIVERS:
            assert time.monotonic() < waiting, "Prometheus has not scraped enough"
            threading.Event().wait(1.0)
        yield address
    for machine in machines:
        machine.shutdown()
        machine.server_close()


def asked(query: str) -> str:
    """A query as Grafana would send it, with everything chosen."""
    for name, chosen in (
        ("$__rate_interval", "15s"),
        ("$__range", "60s"),
        ("$instance", ".*"),
        ("$receiver", ".*"),
    ):
        query = query.replace(name, chosen)
    assert "$" not in query
    return query


def ask(prometheus: str, query: str, *, whole: bool = False) -> list[Any]:
    """What Prometheus answers, now or for the last minute: the series with a number."""
    how = {"query": asked(query)}
    if whole:
        now = time.time()
        how |= {"start": f"{now - 60:.3f}", "end": f"{now:.3f}", "step": "2"}
    url = f"{prometheus}/api/v1/query{'_range' * whole}?" + urllib.parse.urlencode(how)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as wrong:
        raise AssertionError(f"{query}: {wrong.read().decode()}") from wrong
    found: list[Any] = told["data"]["result"]
    return [one for one in found if one.get("values") or one["value"][1] != "NaN"]


def lines(prometheus: str, name: str, panel: Any) -> int:
    """How many lines, or rows, a panel shows."""
    shown = [
        ask(prometheus, _of_one(name, target["expr"]), whole=target.get("range", True))
        for target in panel["targets"]
    ]
    if panel["type"] == "table":
        return max(map(len, shown))
    return sum(map(len, shown))


def _of_one(name: str, query: str) -> str:
    """Where panels are repeated for each chosen receiver, each asks for one."""
    if name.startswith("receiver:"):
        return query.replace("$receiver", VALUES["receiver"][5])
    return query


def test_every_query_returns_data(prometheus: str) -> None:
    """With all receivers and machines chosen, no panel and no note is empty."""
    rare = {"fleet: note started", "fleet: note configuration taken over"}
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda query: (query, ask(prometheus, query[1])), set(queries()))
        empty = [query for query, told in found if not told and query[0] not in rare]
    assert not empty, "\n".join(f"{title}: {query}" for title, query in sorted(empty))


def test_no_panel_has_more_lines_than_can_be_told_apart(prometheus: str) -> None:
    """Over a range of time, too, a panel has at most thirty series, a table as many rows."""
    with ThreadPoolExecutor(4) as pool:
        counted = pool.map(lambda one: (lines(prometheus, *one), one[0]), panels())
        assert not [(number, name) for number, name in counted if not 0 < number <= MOST]


def test_prometheus_takes_the_rules(prometheus: str) -> None:
    """All rules are loaded and evaluated without an error; the cases are of these files."""
    with urllib.request.urlopen(f"{prometheus}/api/v1/rules") as answer:
        groups = json.load(answer)["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    written = yaml("mxheed.rules.yml")["groups"]
    assert len(rules) == sum(len(group["rules"]) for group in written) > 0
    assert not [rule for rule in rules if rule.get("lastError")]
    assert {path.name for path in PROMETHEUS.glob("*.test.yml")} == set(TESTS)


def test_the_choices_of_the_dashboards_are_filled(prometheus: str) -> None:
    """The variables find all machines and receivers."""
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                series, label = variable["query"]["query"][len("label_values(") : -1].rsplit(
                    ", ", 1
                )
                query = urllib.parse.urlencode({"match[]": asked(series)})
                url = f"{prometheus}/api/v1/label/{label}/values?{query}"
                with urllib.request.urlopen(url) as answer:
                    found = json.load(answer)["data"]
                assert len(found) == (MACHINES if label == "instance" else RECEIVERS)
