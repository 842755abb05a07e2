"""Debian's Exim and mxheed: held, let go, delivered; mail flows whatever becomes of mxheed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from policyd.exim.lines import Wanted, gate
from tests.lab import Lab

pytestmark = [pytest.mark.live, pytest.mark.exim]

BUSY = "450 4.7.1 <x>: Recipient address rejected: too many messages, slow down; retry=00:00:03"
LOGS = {"log": {"path": ["/var/log/mail.log", "/var/log/exim4/mainlog"]}}
SOCKET, ALIVE = "/run/mxheed/exim", "/run/mxheed/alive"
LINE = gate(Wanted(SOCKET, ALIVE))
UNGUARDED = LINE.replace(f"  {{exists{{{ALIVE}}}}} \\\n", "").replace(
    f"  {{>{{${{extract{{mtime}}{{${{stat:{ALIVE}}}}}}}}}{{${{eval:$tod_epoch-5}}}}}} \\\n", ""
)


@pytest.fixture
def exim(lab: Lab) -> Iterator[Lab]:
    """The lab with an Exim that asks, and mxheed following its log, too."""
    lab.exim.configure(LINE)
    lab.exim.start()
    yield lab
    lab.exim.clear()


def send(lab: Lab, recipients: list[str]) -> None:
    """One message for each, over SMTP."""
    assert lab.submit(recipients, host="127.0.0.2") == {"250": len(recipients)}


def deliver(lab: Lab, *recipients: str) -> float:
    """One message, delivered in the foreground: how long the delivery took."""
    began = time.monotonic()
    lab.check("exim4", "-odf", *recipients, text="Subject: x\n\nhello\n")
    return time.monotonic() - began


def suspend(lab: Lab, seconds: float = 600) -> None:
    """Have an operator stop the receiver of d0.busy.test."""
    ran = lab.mxheed.cli("throttle", "pin", "mx:busy.test", "suspended", "--for", f"{seconds:g}s")
    assert ran.code == 0, ran


def test_held_mail_is_let_go_and_delivered(exim: Lab) -> None:
    """A refusal with a hint holds the mail behind it; all of it is delivered when that is over."""
    exim.mxheed.start(LOGS)
    busy = exim.receiver("busy", "once", domains=2, reply=BUSY, seconds=3)
    fine = exim.receiver("fine")
    send(exim, ["first@d0.busy.test"])
    exim.until(lambda: exim.mxheed.total("mxheed_replies_total") >= 1, "mxheed knows of it")
    send(exim, ["second@d0.busy.test", "third@d1.busy.test", "other@d0.fine.test"])
    exim.until(fine.taken, "another receiver is not touched")
    exim.until(lambda: len(exim.exim.lines("domain is held")) >= 2, "both are held", 4)
    exim.until(lambda: len(busy.taken()) == 3, "all is delivered after the hint", 15)
    assert exim.exim.lines("**") == []
    exim.until(lambda: exim.exim.queue() == {}, "nothing is left in the queue")
    assert exim.exim.panics() == ""


def stopped(lab: Lab) -> None:
    lab.mxheed.stop()


def killed(lab: Lab) -> None:
    lab.mxheed.kill()


def frozen(lab: Lab) -> None:
    """Hung, for so long that the file it touches is old."""
    lab.mxheed.freeze()
    lab.check("touch", "-d", "6 seconds ago", ALIVE)


def removed(lab: Lab) -> None:
    lab.check("rm", SOCKET)


def answering(reply: str) -> Callable[[Lab], None]:
    """Somebody else listens there and says something."""

    def become(lab: Lab) -> None:
        lab.mxheed.stop()
        script = (
            "import socket, os, sys\n"
            f"reply = {reply}\n"
            f"s = socket.socket(socket.AF_UNIX); s.bind('{SOCKET}'); s.listen(50)\n"
            "while True:\n"
            "    c, _ = s.accept()\n"
            "    try:\n"
            "        c.recv(9000); c.sendall(reply)\n"
            "    except OSError: pass\n"
            "    c.close()\n"
        )
        lab.call("spawn", name="liar", command=["python3", "-c", script], user="root", env={})
        lab.until(lambda: lab.run("test", "-S", SOCKET).code == 0, "the liar listens")
        lab.check("touch", ALIVE)

    return become


FATES: dict[str, Callable[[Lab], None]] = {
    "stopped": stopped,
    "killed": killed,
    "hung": frozen,
    "its socket removed": removed,
    "garbage": answering("b'garbage'"),
    "nothing": answering("b''"),
    "a list": answering("b'+nolist : *'"),
    "a command": answering("b'|/bin/sh'"),
    "hold and more": answering("b'hold\\n'"),
    "much": answering("b'hold' * 20000"),
    "no text": answering("b'\\0\\xff'"),
}


@pytest.mark.parametrize("fate", FATES.values(), ids=FATES)
def test_whatever_becomes_of_it_mail_flows(exim: Lab, fate: Callable[[Lab], None]) -> None:
    """Mail to a held receiver goes as soon as mxheed cannot say so; local mail was never asked."""
    exim.mxheed.start(LOGS)
    busy = exim.receiver("busy")
    usual = deliver(exim, "warm@d0.busy.test")
    suspend(exim)
    deliver(exim, "held@d0.busy.test")
    assert len(busy.taken()) == 1
    fate(exim)
    try:
        took = deliver(exim, "goes@d0.busy.test")
        deliver(exim, "alice@lab.test")
        assert busy.taken() == ["warm@d0.busy.test", "goes@d0.busy.test"]
        assert exim.mailboxes() == {"alice"}
        assert took < usual + 0.5, "nobody waited"  # of a second's time-out
        assert exim.exim.lines("**") == []
        assert "*frozen*" not in str(exim.exim.queue())
        assert exim.exim.panics() == ""
        exim.exim.run_queue()  # what was held goes with the next queue run
        assert len(busy.taken()) == 3
    finally:
        exim.run("pkill", "-f", "s.listen")
        exim.check("rm", "-f", SOCKET, ALIVE)
