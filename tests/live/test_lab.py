"""The lab itself: what its receivers promise, and that nothing of it leaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live


def test_stock_postfix_delivers_and_defers_in_the_lab(stock_lab: Lab) -> None:
    """Mail reaches the receiver behind its MX, a refusal defers, and local mail is delivered."""
    lab = stock_lab
    fine = lab.receiver("fine", domains=2)
    busy = lab.receiver("busy", "fixed", reply="450 4.2.1 busy")
    gone = lab.receiver("gone", "fixed", reply="550 5.1.1 no such user", only="x")
    accepted = lab.submit(
        ["a@d0.fine.test", "b@d1.fine.test", "c@d0.busy.test", "x@d0.gone.test", "alice@lab.test"]
    )
    assert accepted == {"250": 5}
    lab.until(lambda: len(fine.taken()) == 2, "both domains' mail was taken")
    lab.until(lambda: busy.refused() and gone.refused(), "the others refused")
    lab.until(lambda: "alice" in lab.mailboxes(), "local mail was delivered")
    lab.until(lambda: len(lab.postfix.deliveries("deferred")) == 1, "one is deferred")
    lab.until(lambda: lab.postfix.deliveries("bounced"), "one bounced")
    assert [one["reply"] for one in busy.refused()] == ["450 4.2.1 busy"]


def test_receivers_speak_tls_with_postfix(stock_lab: Lab) -> None:
    """A receiver with a self-signed certificate is spoken to over TLS."""
    safe = stock_lab.receiver("safe", tls=True)
    stock_lab.submit(['"a b>c"@D0.Safe.Test'])
    stock_lab.until(safe.taken, "the message arrives")
    assert safe.events("tls")
    assert safe.taken() == ['"a b>c"@D0.Safe.Test']


def test_a_lab_leaves_the_machine_as_it_was(lab: Lab) -> None:
    """What the lab mounts and writes is seen inside only."""
    outside = Path("/etc/postfix/main.cf").read_text()
    assert lab.check("cat", "/etc/postfix/main.cf") != outside
    assert lab.check("ip", "-o", "link").count("\n") == 1
    assert lab.check("id", "-u", "mxheed", "alice").split() == ["790", "791"]
    assert "mxheed:x:790:" not in Path("/etc/passwd").read_text()


def test_a_lab_that_ends_takes_its_processes_along() -> None:
    """No process and no file outlives a lab."""
    with Lab() as short:
        directory = short.directory
        short.call("spawn", name="sleeper", command=["sleep", "3600"], user="alice", env={})
        pid = short.agent_pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
    assert not directory.exists()
