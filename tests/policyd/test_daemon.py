"""`mxheed run`, as a process of its own: what a person who starts it sees."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.policyd.daemon_process import DaemonProcess

STAMP = "2026-11-23T10:00:{:02d}.000000+00:00 mail postfix/smtp[411]: "
SENT = (
    "4BcdFg{:02d}zz: to=<u{}@example.net>, relay=mx.example.net[192.0.2.7]:25, delay=1, "
    "delays=0.1/0.1/0.3/0.5, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 12345)\n"
)
LIMITED = (
    "4BcdFg{:02d}zz: to=<u{}@gmail.com>, relay=gmail-smtp-in.l.google.com[192.0.2.8]:25, delay=1, "
    "delays=0.1/0.1/0.3/0.5, dsn=4.7.28, status=deferred (host "
    "gmail-smtp-in.l.google.com[192.0.2.8] said: 421-4.7.28 Gmail has detected an unusual rate of "
    "unsolicited mail originating from your IP address. 421 4.7.28 To protect our users, mail has "
    "been temporarily rate limited. - gsmtp (in reply to end of DATA command))\n"
)


def lines(pattern: str, count: int, first: int = 0) -> str:
    numbers = range(first, first + count)
    return "".join(STAMP.format(n % 60) + pattern.format(n, n) for n in numbers)


def add(daemon: DaemonProcess, text: str) -> None:
    with daemon.log.open("a") as log:
        log.write(text)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    """A daemon over a log with three deliveries."""
    found = DaemonProcess(tmp_path)
    found.log.write_text(lines(SENT, 3))
    yield found
    if found.process is not None:
        found.stop(signal.SIGKILL)


def test_what_the_log_says_is_on_the_pages(daemon: DaemonProcess) -> None:
    """Deliveries reach /metrics, the status page, /api/state and /healthz."""
    daemon.start()
    sent = 'mxheed_deliveries_total{receiver="mx:example.net",outcome="sent"}'
    daemon.until(lambda: daemon.metric(sent) == 3, "three deliveries")
    assert daemon.metric("mxheed_hooks_safe") == 0
    add(daemon, lines(LIMITED, 2, 3))
    limited = 'mxheed_replies_total{receiver="google",category="flow.rate",stage="eod"}'
    daemon.until(lambda: daemon.metric(limited) == 2, "two limits")
    assert "mx:example.net" in daemon.get("/")
    assert '"google"' in daemon.get("/api/state")
    assert daemon.get("/healthz").startswith('{"status":"ok","troubles":{},"log":{')
    assert daemon.stop() == 0


def test_every_documented_metric_has_a_source(daemon: DaemonProcess) -> None:
    """Each family of the metric table is on the page, with its type."""
    from policyd.metrics.table import TABLE

    daemon.start()
    daemon.until(lambda: daemon.metric("mxheed_log_lines_total") == 3, "the log is read")
    page = daemon.get("/metrics")
    assert [f.name for f in TABLE if f"# TYPE {f.name} {f.kind}\n" not in page] == []
    assert daemon.stop() == 0


def test_a_restart_goes_on_where_it_was(daemon: DaemonProcess) -> None:
    """What was counted before a stop, and what came while it was away, is counted once."""
    daemon.start()
    sent = 'mxheed_deliveries_total{receiver="mx:example.net",outcome="sent"}'
    daemon.until(lambda: daemon.metric(sent) == 3, "three deliveries")
    assert daemon.stop() == 0
    add(daemon, lines(SENT, 4, 3))
    daemon.start()
    daemon.until(lambda: daemon.metric(sent) == 7, "seven deliveries")
    assert daemon.stop(signal.SIGINT) == 0


def test_a_bad_configuration_never_replaces_a_good_one(daemon: DaemonProcess) -> None:
    """SIGHUP with mistakes in the file is told with their places; the daemon goes on."""
    daemon.start()
    assert daemon.process is not None
    good = daemon.config.read_text()
    daemon.config.write_text("log: {path: 7, commit_interval: soon}\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until(lambda: "mxheed.yaml:1:33: 'soon'" in daemon.read(), "the mistake")
    assert daemon.metric("mxheed_config_last_reload_successful") == 0
    daemon.config.write_text(good)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until(
        lambda: daemon.metric("mxheed_config_last_reload_successful") == 1, "the good one is taken"
    )
    assert "only a restart" not in daemon.read()
    assert daemon.stop() == 0


def test_a_reload_says_what_it_cannot_take(daemon: DaemonProcess) -> None:
    """Addresses and files are taken at a start; what the command line says was never the file's."""
    del daemon.sections["log"]["path"]
    daemon.start("--log", str(daemon.log))
    assert daemon.process is not None
    daemon.sections["serve"]["http_connections"] = 7
    daemon.sections["state"]["file"] += "-new"
    daemon.config.write_text(json.dumps(daemon.sections))
    asked = [sys.executable, "-m", "policyd.cli", "reload"]
    asked += ["--socket", daemon.sections["serve"]["control"]]
    ran = subprocess.run(asked, capture_output=True, text=True, check=True)
    told = "only a restart takes: state.file, serve.http_connections\n"
    assert ran.stdout == f"the configuration was read anew and is in use, but for what {told}"
    assert daemon.stop() == 0


def test_a_site_rule_works_after_a_reload(daemon: DaemonProcess) -> None:
    """A new rule file is used from SIGHUP on, and what was learnt stays."""
    odd = SENT.replace("dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 12345)", "").rstrip() + (
        " dsn=4.0.0, status=deferred (host mx.example.net[192.0.2.7] said: 450 the moon is too "
        "bright (in reply to RCPT TO command))\n"
    )
    daemon.start()
    add(daemon, lines(odd, 1, 10))
    unknown = 'mxheed_replies_unclassified_total{receiver="mx:example.net"}'
    daemon.until(lambda: daemon.metric(unknown) == 1, "an unclassified reply")
    site = daemon.folder / "site.yaml"
    site.write_text(
        "mxheed: 1\npack: site\nrules:\n- id: site.moon\n  category: flow.busy\n"
        "  when: {code: [450], text: ['the moon is too bright']}\n"
        "  examples: ['450 the moon is too bright']\n  source: observed\n  seen: 2026-11-23\n"
    )
    text = daemon.config.read_text().replace('"state"', '"rules": {"site": ["site.yaml"]}, "state"')
    daemon.config.write_text(text)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until(lambda: "read again" in daemon.read(), "the reload")
    add(daemon, lines(odd, 1, 11))
    busy = 'mxheed_replies_total{receiver="mx:example.net",category="flow.busy",stage="rcpt"}'
    daemon.until(lambda: daemon.metric(busy) == 1, "the new rule")
    assert daemon.metric(unknown) == 1
    assert daemon.stop() == 0


def test_the_gate_answers_on_the_socket(daemon: DaemonProcess) -> None:
    """A free receiver's address is kept, a pinned one's is dropped, others stay untouched."""
    from policyd.cli import main

    google = "gmail-smtp-in.l.google.com. 60 IN A 192.0.2.1"
    daemon.start()
    assert daemon.ask("mx", google) == "9:NOTFOUND ,"
    control = str(daemon.folder / "control")
    assert main(["throttle", "pin", "google", "suspended", "--socket", control]) == 0
    assert daemon.ask("mx", google) == "9:OK IGNORE,"
    assert daemon.ask("mx", "mx.example.org. 60 IN A 192.0.2.2") == "9:NOTFOUND ,"
    assert main(["throttle", "cancel", "google", "--socket", control]) == 0
    assert daemon.ask("mx", google) == "9:NOTFOUND ,"
    assert daemon.stop() == 0


def test_a_second_daemon_is_refused_in_words(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Two daemons on one state file: the second one says so and ends with 1."""
    daemon.start()
    second = DaemonProcess(tmp_path)
    with pytest.raises(AssertionError, match=r"another process serves it|in use by another mxheed"):
        second.start()
    assert second.stop() == 1
    assert daemon.stop() == 0


def test_a_hand_that_fails_is_a_trouble_once_it_is_needed(daemon: DaemonProcess) -> None:
    """Who only reads a log needs no Postfix; once one asks, held mail must be let go."""
    daemon.sections["release"] = {"postqueue": "/nonexistent/postqueue"}
    daemon.start()
    daemon.until(lambda: "cannot read the queue" in daemon.read(), "it is logged")
    assert "is Postfix installed here?" in daemon.output
    assert daemon.get("/healthz").startswith('{"status":"ok","troubles":{},"log":{')
    assert "\nmxheed_release_working " not in daemon.get("/metrics")
    daemon.ask("mx", "d1.example. 60 IN MX 10 mx.example.org.")
    with pytest.raises(HTTPError) as told:
        daemon.get("/healthz")
    assert "held messages cannot be let go: `/nonexistent/postqueue" in told.value.read().decode()
    assert "cannot be let go" in daemon.get("/")
    # the page of a moment ago may be given once more
    daemon.until(lambda: "\nmxheed_release_working 0\n" in daemon.get("/metrics"), "it is a metric")
    assert daemon.stop() == 0


def test_a_second_instance_is_one_line(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Every listener has an option; a port that is taken is told with its holder and the option."""
    daemon.start()
    assert daemon.process is not None
    taken = daemon.address("policy service")
    own = [
        f"--state={tmp_path}/two.db", f"--control={tmp_path}/two", "--http=inet:127.0.0.1:0",
        f"--socketmap=unix:{tmp_path}/maps",
    ]  # fmt: skip
    second = DaemonProcess(tmp_path)
    with pytest.raises(AssertionError) as told:
        second.start(*own, f"--policy={taken}")
    assert f"cannot listen on {taken}: Address already in use, by process" in str(told.value)
    assert f"process {daemon.process.pid} (" in str(told.value)
    assert "another: --policy inet:127.0.0.1:0 (any free port), or serve.policy" in str(told.value)
    assert second.stop() == 1
    second.start(*own, "--policy=inet:127.0.0.1:0", f"--policy=unix:{tmp_path}/policy")
    assert (tmp_path / "policy").is_socket()
    assert second.stop() == 0
    assert daemon.stop() == 0


def test_without_any_mail_the_sample_day_plays(daemon: DaemonProcess) -> None:
    """`--log sample` shows live receivers at once and leaves no state behind."""
    daemon.start("--log", "sample")
    sent = 'mxheed_deliveries_total{receiver="google",outcome="sent"}'
    daemon.until(lambda: daemon.metric(sent) > 10, "the sample's deliveries")
    first = daemon.output.splitlines()[0]
    assert first == (
        "mxheed: the sample day is played: Postfix gets safe answers only, nothing is held or paced"
        " (as asked)"
    )
    assert "Postfix gets safe answers only" in daemon.get("/")
    assert daemon.metric("mxheed_hooks_safe") == 1
    assert daemon.get("/healthz").startswith('{"status":"ok","troubles":{},"log":{')
    assert daemon.stop() == 0
    assert not (daemon.folder / "state.db").exists()


def test_a_log_may_come_through_a_pipe(daemon: DaemonProcess) -> None:
    """`--log -` counts what it is sent while the pipe stays open, and still stops at once."""
    daemon.start("--log", "-", pipe=True)
    assert daemon.process is not None
    assert daemon.process.stdin is not None
    daemon.process.stdin.write(lines(SENT, 5).encode())
    daemon.process.stdin.flush()
    sent = 'mxheed_deliveries_total{receiver="mx:example.net",outcome="sent"}'
    daemon.until(lambda: daemon.metric(sent) == 5, "five deliveries")
    assert daemon.stop() == 0
    daemon.process.stdin.close()


def test_an_operators_word_survives_a_kill(daemon: DaemonProcess) -> None:
    """A pin is committed soon, also where no log line comes; `kill -9` does not undo it."""
    from policyd.cli import main

    google = "gmail-smtp-in.l.google.com. 60 IN A 192.0.2.1"
    control = ["--socket", str(daemon.folder / "control")]
    daemon.start()
    daemon.until(lambda: daemon.metric("mxheed_log_lines_total") == 3, "the log is read")

    def committed() -> bytes:
        with closing(sqlite3.connect(daemon.folder / "state.db")) as state:
            row = state.execute("SELECT value FROM documents WHERE name = 'throttle'").fetchone()
        return bytes(row[0]) if row else b""

    assert b"suspended" not in committed()
    assert main(["throttle", "pin", "google", "suspended", *control]) == 0
    daemon.until(lambda: b"suspended" in committed(), "a commit")
    daemon.stop(signal.SIGKILL)
    daemon.start()  # its answers are safe until the log is open
    daemon.until(lambda: daemon.ask("mx", google) == "9:OK IGNORE,", "the pin holds")
    assert daemon.stop() == 0
