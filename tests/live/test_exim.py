"""Debian's Exim and mxheed: held, let go, delivered; mail flows whatever becomes of mxheed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from policyd.exim.lines import Wanted, gate
from tests.lab import Lab
from tests.lab.namespace import ENVIRONMENT, PYTHON

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


def test_held_mail_is_not_bounced_by_exims_own_clock(lab: Lab) -> None:
    """Held for longer than Exim's retry rules last: each is tried before, and none bounces."""
    exim = lab.exim
    exim.configure(LINE, retry="F,24s,3s")
    exim.start("-q3s")
    try:
        lab.mxheed.start(LOGS | {"release": {"reconcile": "1s"}})
        busy = lab.receiver("busy", domains=3)
        deliver(lab, "warm@d0.busy.test")
        suspend(lab, 600)
        names = [f"u{number}@d{number % 3}.busy.test" for number in range(6)]
        send(lab, names)
        lab.until(lambda: len(exim.lines("domain is held")) >= 6, "all are held")
        lab.until(lambda: len(busy.taken()) == 7, "each was tried in good time", 40)
        assert exim.lines("**") == []
        assert exim.queue() == {}
    finally:
        exim.clear()
        exim.configure()


def test_a_restart_takes_up_what_is_held(exim: Lab) -> None:
    """Killed while mail is held: the next one finds it in Exim's queue and lets it go."""
    exim.mxheed.start(LOGS)
    busy = exim.receiver("busy", domains=2)
    deliver(exim, "warm@d0.busy.test")
    suspend(exim)
    send(exim, ["a@d0.busy.test", "b@d1.busy.test"])
    exim.until(lambda: len(exim.exim.lines("domain is held")) == 2, "both are held")
    exim.mxheed.kill()
    exim.check("rm", "-f", "/var/lib/mxheed/mxheed.db")  # nothing is remembered
    exim.mxheed.launch()
    exim.until(lambda: len(busy.taken()) == 3, "what was held goes", 20)
    assert exim.exim.queue() == {}


def test_a_refusal_at_the_banner_is_led_past(exim: Lab) -> None:
    """Exim's own record would keep the message from being tried: it is let go by -M."""
    exim.mxheed.start(LOGS)
    said = "421 4.7.0 Too many messages from you; retry=00:00:03"
    busy = exim.receiver("busy", "fixed", stage="connect", reply=said)
    send(exim, ["first@d0.busy.test"])
    exim.until(busy.refused, "it refuses")
    busy.play("accept")
    exim.until(lambda: len(busy.taken()) == 1, "it goes when the hint is over", 20)
    assert exim.mxheed.total("mxheed_release_requests_total", way="exim_forced") >= 1
    assert len(busy.refused()) == 1


def test_what_an_operator_holds_stays_held(lab: Lab) -> None:
    """An operator's own hold_domains goes before ours; mxheed leaves its mail alone."""
    own = LINE.replace("hold_domains = ", "hold_domains = d0.kept.test : ")
    lab.exim.configure(own)
    lab.exim.start()
    try:
        lab.mxheed.start(LOGS)
        kept = lab.receiver("kept", domains=2)
        send(lab, ["a@d0.kept.test", "b@d1.kept.test"])
        lab.until(kept.taken, "the other domain's mail goes")
        lab.until(lambda: len(lab.exim.lines("domain is held")) == 1, "one is held")
        assert lab.mxheed.total("mxheed_held_messages") == 0
        assert kept.taken() == ["b@d1.kept.test"]
    finally:
        lab.exim.clear()


def test_postfix_and_exim_share_a_lane(exim: Lab) -> None:
    """A refusal that Exim heard holds Postfix's mail too; both are let go, each by its own hand."""
    exim.mxheed.start(LOGS | {"serve": {"submission": {"suspended": "dunno"}}})
    busy = exim.receiver("busy", "once", domains=2, reply=BUSY, seconds=3)
    send(exim, ["first@d0.busy.test"])
    exim.until(lambda: exim.mxheed.total("mxheed_replies_total") >= 1, "mxheed knows of it")
    assert exim.submit(["second@d1.busy.test"]) == {"250": 1}  # to Postfix
    send(exim, ["third@d1.busy.test"])
    exim.until(lambda: len(exim.exim.lines("domain is held")) == 1, "Exim holds")
    exim.until(lambda: exim.postfix.deliveries("deferred"), "Postfix holds")
    exim.until(lambda: len(busy.taken()) == 3, "all is delivered", 20)
    assert len(busy.refused()) == 1
    lanes = [lane["receiver"] for lane in exim.mxheed.throttle()["lanes"]]
    assert lanes == ["mx:busy.test"]


def test_the_service_lets_mail_go_for_a_daemon_without_rights(exim: Lab) -> None:
    """The daemon is in no group of Exim's: it asks the hand, which is Exim's user."""
    socket = "/run/hand/hand"
    exim.check("install", "-d", "-o", "Debian-exim", "-m", "0755", "/run/hand")
    without = exim.check("sed", "s/^\\(Debian-exim:.*:\\)mxheed$/\\1/", "/etc/group")
    groups = exim.check("cat", "/etc/group")
    exim.check("tee", "/etc/group", text=without)
    hand = ["bash", "-c", f"{PYTHON} -m policyd.cli exim-hand --socket unix:{socket}"]
    exim.call("spawn", name="hand", command=hand, user="Debian-exim", env=ENVIRONMENT)
    try:
        exim.until(lambda: exim.run("test", "-S", socket).code == 0, "the hand listens")
        exim.check("chmod", "0666", socket)
        exim.mxheed.start(LOGS | {"release": {"exim_hand": socket}})
        busy = exim.receiver("busy", "once", reply=BUSY, seconds=2)
        send(exim, ["first@d0.busy.test"])
        exim.until(lambda: len(busy.taken()) == 1, "it is let go after the hint", 15)
        assert exim.mxheed.total("mxheed_release_working") == 1
        told = exim.mxheed.cli("doctor", "--config", "/run/mxheed.yaml", user="root").out
        assert "the daemon can let mail held in Exim's queue go" in told
        exim.run("pkill", "-f", "exim-hand")
        exim.check("rm", "-f", socket)
        told = exim.mxheed.cli("doctor", "--config", "/run/mxheed.yaml", user="root").out
        assert "cannot let mail held in Exim's queue go" in told
    finally:
        exim.run("pkill", "-f", "exim-hand")
        exim.check("tee", "/etc/group", text=groups)


def test_setup_and_doctor_on_debian(lab: Lab) -> None:
    """From nothing to a gate that works, in both of Debian's forms; each mistake is found."""

    def doctor() -> str:
        return lab.mxheed.cli("doctor", "--config", "/run/mxheed.yaml", user="root").out

    log = ("-o", "Debian-exim", "-g", "adm", "-m", "0640", "/dev/null", "/var/log/exim4/mainlog")
    lab.exim.configure()
    lab.check("install", *log)
    lab.mxheed.start(LOGS)
    try:
        for split in (False, True):
            lab.exim.configure(split=split)
            lab.exim.start()
            assert "hold_domains does not ask mxheed" in doctor()
            arguments = ("setup", "exim", "--commands", "--config", "/run/mxheed.yaml")
            script = lab.mxheed.cli(*arguments, user="root").out
            script = script.replace("service exim4 reload", "true")
            lab.check("sh", "-c", f"PATH=$PATH:/usr/sbin; mxheed() {{ :; }}; {script}")
            lab.exim.stop()
            lab.exim.start()
            told = doctor()
            assert "hold_domains was expanded: it asks mxheed" in told
            assert "log_selector lacks" not in told
            lab.exim.stop()
        broken = LINE.replace(">, defer_never,mx=", "defer_never,>, mx=")
        lab.exim.configure(broken)
        assert "Exim cannot expand hold_domains, and defers all outbound mail" in doctor()
    finally:
        lab.exim.clear()


def test_what_came_in_without_an_attempt_is_tried(exim: Lab) -> None:
    """The eleventh and later message of a connection does not wait for a queue run."""
    exim.mxheed.start(LOGS)
    fine = exim.receiver("fine")
    names = [f"u{number}@d0.fine.test" for number in range(25)]
    assert exim.submit(names, host="127.0.0.2", connections=1) == {"250": 25}
    exim.until(lambda: len(fine.taken()) == 25, "all arrive", 30)
    assert len([line for line in exim.exim.log() if "no immediate delivery" in line]) == 15
    assert sorted(fine.taken()) == sorted(names)
