"""Held mail let go by flush(8) itself, and by postqueue where flush(8) cannot be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Lab
from tests.lab.namespace import PYTHON

pytestmark = pytest.mark.live

MESSAGES = 30
RECEIVER = "mx:fine.test"
TAKES_ALL = {"serve": {"submission": {"suspended": "dunno"}}}

# a hand that is sent to another socket than postqueue: nothing else can make flush(8) lie to us
HAND = "/run/hand"
POSTCONF = f"#!/bin/sh\necho {HAND}\n"
# what it answers to each connection; what is left is never said
LIAR = f"""
import os, socket, sys
os.umask(0)
here = socket.socket(socket.AF_UNIX)
here.bind("{HAND}/public/flush")
here.listen(50)
kept = []
while True:
    there, _ = here.accept()
    kept.append(there)
    if sys.argv[1] == "end":
        there.close()
    elif sys.argv[1] != "hang":
        there.sendall(bytes.fromhex(sys.argv[1]))
"""
FRONT = b"protocol\0queue_flush_protocol\0\0"
LIES = {
    "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n".hex(),
    "flood": (FRONT + b"status\0" + b"0" * 20_000).hex(),
    "another status": (FRONT + b"status\0003\0\0").hex(),
    "no greeting": b"status\0000\0\0".hex(),
    "end": "end",
    "hang": "hang",
}


@pytest.fixture
def liar(lab: Lab) -> Iterator[Lab]:
    """A directory with postqueue and a postconf that tells of another queue."""
    lab.check("mkdir", "-p", f"{HAND}/public")
    lab.check("ln", "-s", "/usr/sbin/postqueue", f"{HAND}/postqueue")
    lab.check("tee", f"{HAND}/postconf", text=POSTCONF)
    lab.check("chmod", "755", f"{HAND}/postconf")
    yield lab
    lab.mxheed.stop()
    lab.check("rm", "-rf", HAND)


def lie(lab: Lab, answer: str) -> None:
    lab.call("spawn", name="liar", command=[PYTHON, "-c", LIAR, answer], user="root", env={})
    lab.until(lambda: lab.run("test", "-S", f"{HAND}/public/flush").code == 0, "it listens")


def hold(lab: Lab, release: dict[str, Any], domains: int = MESSAGES, **pacing: Any) -> Any:
    """A receiver with mail that is held."""
    lab.mxheed.start({"release": release, "pacing": pacing, **TAKES_ALL})
    fine = lab.receiver("fine", domains=domains)
    assert lab.mxheed.cli("throttle", "pin", RECEIVER, "suspended").code == 0
    lab.submit([f"u{number}@d{number % domains}.fine.test" for number in range(MESSAGES)])
    lab.until(lambda: lab.mxheed.total("mxheed_held_messages") == MESSAGES, "all is held")
    return fine


def let_go(lab: Lab, fine: Any) -> dict[str, float]:
    """All of it arrives, once each; by which ways."""
    assert lab.mxheed.cli("throttle", "cancel", RECEIVER).code == 0
    lab.until(lambda: len(fine.taken()) >= MESSAGES, "all is delivered", 40)
    assert len(set(fine.taken())) == len(fine.taken()) == MESSAGES
    assert lab.postfix.deliveries("bounced") == []
    total = lab.mxheed.total
    ways = ("flush", "postqueue", "fallback")
    return {way: total("mxheed_release_requests_total", way=way) for way in ways}


def doctor(lab: Lab) -> str:
    told = lab.mxheed.cli("doctor", "--config", "/run/mxheed.yaml", user="root").out
    (line,) = [line for line in told.splitlines() if "let held messages go" in line]
    return line


def test_held_mail_is_let_go_without_a_process(lab: Lab) -> None:
    """By the daemon's unprivileged user; each message arrives once, and doctor says how."""
    fine = hold(lab, {})
    ways = let_go(lab, fine)
    assert ways["flush"] >= 0.9 * MESSAGES  # once a minute postqueue is asked whether we may
    assert ways["fallback"] == 0
    assert "by flush(8) itself" in doctor(lab)


def test_who_may_not_flush_by_postfixs_own_word_does_not(lab: Lab) -> None:
    """flush(8) itself asks nobody's name: authorized_flush_users counts all the same."""
    lab.postfix.set("authorized_flush_users = !mxheed, static:anyone")
    try:
        lab.mxheed.prepare()
        lab.mxheed.configure(TAKES_ALL)
        lab.mxheed.launch(healthz=503)
        lab.receiver("fine")
        assert lab.mxheed.cli("throttle", "pin", RECEIVER, "suspended").code == 0
        lab.submit(["u@d0.fine.test"])
        lab.until(lambda: lab.mxheed.total("mxheed_held_messages") == 1, "it is held")
        assert lab.mxheed.cli("throttle", "cancel", RECEIVER).code == 0
        failed = ("mxheed_releases_total", "failed")
        lab.until(lambda: lab.mxheed.total(failed[0], result=failed[1]) > 0, "it is refused")
        assert lab.mxheed.total("mxheed_release_requests_total", way="flush") == 0
        assert "authorized_flush_users" in doctor(lab)
    finally:
        lab.postfix.set("authorized_flush_users = static:anyone")


@pytest.mark.parametrize("answer", LIES.values(), ids=LIES)
def test_whatever_flush_answers_mail_is_let_go(liar: Lab, answer: str) -> None:
    """Garbage, floods, silence: postqueue does it, and the surprise is said once."""
    lie(liar, answer)
    fine = hold(liar, {"postqueue": f"{HAND}/postqueue", "timeout": "5s"})
    ways = let_go(liar, fine)
    assert ways["flush"] == 0
    assert ways["postqueue"] + ways["fallback"] >= MESSAGES
    assert "can let held messages go (it tried): by postqueue" in doctor(liar)
    liar.mxheed.stop()
    assert liar.mxheed.output.count("flush(8) cannot be used") == 1


@pytest.mark.parametrize("domains", [MESSAGES, 3])
def test_a_flush_that_says_yes_and_does_nothing_is_not_believed(liar: Lab, domains: int) -> None:
    """A release that no question and no log line confirms is made again, by postqueue.

    Where many go to one domain, the question of one that went confirms no other one.
    """
    lie(liar, (FRONT + b"status\0000\0\0").hex())
    fine = hold(liar, {"postqueue": f"{HAND}/postqueue"}, domains, grant="2s")
    ways = let_go(liar, fine)
    assert ways["flush"] > 0
    assert ways["postqueue"] >= MESSAGES / 2
