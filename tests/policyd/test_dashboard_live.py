"""Every query of the dashboards, asked of a real Prometheus that scrapes a running mxheed.

The daemon follows a log that the test writes (the sample day, fast), is asked a few questions on
its sockets, and Prometheus is the distribution's own with contrib's configuration.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policyd import sample
from policyd.web.asking import ask as control_ask
from tests.policyd.dashboards import queries
from tests.policyd.programs import PATIENCE, Program
from tests.policyd.test_prometheus_files import PROMETHEUS

pytestmark = pytest.mark.live

# what a daemon has that is older than a minute (test_dashboards_many has it)
OLDER = re.compile("growth1w|mxheed_new_replies|mxheed_throttle_held_oldest")
PACE = 2500.0  # times the pace of the sample day
SCRAPE = "1s"


class Feed(threading.Thread):
    """Writes the sample day's afternoon to a log, over and over, until it is told to stop."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._over = threading.Event()

    def run(self) -> None:
        begin = time.time()
        with self._path.open("ab", buffering=0) as log:
            for at, line in sample.lines(begin, PACE):
                if at < begin:
                    continue
                while (wait := at - time.time()) > 0:
                    if self._over.wait(wait):
                        return
                if self._over.is_set():
                    return
                log.write(line)

    def stop(self) -> None:
        """Write no more."""
        self._over.set()
        self.join()


def fetch(url: str) -> Any:
    """A JSON answer."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def ask(address: tuple[str, int], request: bytes) -> bytes:
    """One question on a TCP socket."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(4096)


@pytest.fixture(scope="module")
def mxheed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[str, int]]]:
    """A running daemon with a log that grows; its addresses by name."""
    folder = tmp_path_factory.mktemp("mxheed")
    (folder / "mail.log").touch()
    (folder / "mxheed.yaml").write_text(
        f"log:\n  path: {folder}/mail.log\n  hosts: label\n"
        f"state:\n  file: {folder}/state.db\nserve:\n"
        + "".join(f'  {name}: ["inet:127.0.0.1:0"]\n' for name in ("http", "socketmap", "policy"))
        + f"  control: {folder}/control.sock\n"
    )
    command = (sys.executable, "-m", "policyd.cli", "run", "--config", f"{folder}/mxheed.yaml")
    with Program(*command) as daemon:
        found = {}
        for name, pattern in (
            ("http", r"status page .*http://([\d.]+):(\d+)/"),
            ("socketmap", r"socketmaps .*inet:([\d.]+):(\d+)"),
            ("policy", r"policy service .*inet:([\d.]+):(\d+)"),
        ):
            match = daemon.says(pattern)
            found[name] = (match[1], int(match[2]))
        feed = Feed(folder / "mail.log")
        feed.start()
        pin = {"state": "free", "seconds": 3600.0}
        control_ask(f"{folder}/control.sock", "POST", "/throttle/icloud/pin", pin)
        yield found
        feed.stop()


@pytest.fixture(scope="module")
def prometheus(
    mxheed: dict[str, tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a real Prometheus that scrapes the daemon every second."""
    folder = tmp_path_factory.mktemp("prometheus")
    text = (PROMETHEUS / "prometheus.yml").read_text()
    text = text.replace("127.0.0.1:9825", "{}:{}".format(*mxheed["http"])).replace("30s", SCRAPE)
    (folder / "prometheus.yml").write_text(text)
    (folder / "mxheed.rules.yml").write_text((PROMETHEUS / "mxheed.rules.yml").read_text())
    command = (
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--web.listen-address=127.0.0.1:0",
    )
    with Program(*command) as server:
        match = server.says(r"Listening on\" address=([\d.]+:\d+)")
        server.says("Server is ready to receive web requests")
        yield f"http://{match[1]}"


def asked(query: str) -> str:
    """A dashboard query as Grafana would send it."""
    for name, value in (
        ("$__rate_interval", "20s"),
        ("$__range", "60s"),
        ("$instance", ".*"),
        ("$receiver", ".*"),
    ):
        query = query.replace(name, value)
    assert "$" not in query
    return query


def result(prometheus: str, query: str) -> list[Any]:
    """What Prometheus answers now."""
    url = f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": asked(query)})
    answer = fetch(url)
    assert answer["status"] == "success"
    found: list[Any] = answer["data"]["result"]
    return [sample for sample in found if sample["value"][1] != "NaN"]


def keep_asking(mxheed: dict[str, tuple[str, int]]) -> None:
    """One question of each kind, as Postfix would ask them, and one that nobody can read."""
    key = b"mx gmail.com. 300 IN MX 5 gmail-smtp-in.l.google.com."
    ask(mxheed["socketmap"], b"%d:%b," % (len(key), key))
    request = b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=a@gmail.com\n\n"
    assert ask(mxheed["policy"], request).startswith(b"action=")


def test_every_panel_shows_data(mxheed: dict[str, tuple[str, int]], prometheus: str) -> None:
    """Each query of each panel returns numbers."""
    waiting = {
        (title, query): None
        for title, query in queries()
        if ": note " not in title and not OLDER.search(query)
    }
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while waiting and time.monotonic() < deadline:
        keep_asking(mxheed)
        waiting = {
            (title, query): None for title, query in waiting if not result(prometheus, query)
        }
        pause.wait(1.0)
    assert not waiting, "no data for:\n" + "\n".join(
        f"{title}: {query}" for title, query in waiting
    )


def test_the_numbers_are_those_of_the_page(
    mxheed: dict[str, tuple[str, int]], prometheus: str
) -> None:
    """Prometheus stores what the daemon told, and the status page tells the same; it only grows."""
    query = 'sum(mxheed_deliveries_total{outcome="sent"})'
    before = float(result(prometheus, query)[0]["value"][1])
    with urllib.request.urlopen("http://{}:{}/metrics".format(*mxheed["http"])) as page:
        text = page.read().decode()
    told = sum(
        float(value)
        for value in re.findall(r'^mxheed_deliveries_total\{.*outcome="sent"\} (\S+)$', text, re.M)
    )
    assert 0 < before <= told
    state = fetch("http://{}:{}/api/state".format(*mxheed["http"]))
    assert told <= sum(row["outcomes"].get("sent", 0) for row in state["receivers"])
