"""`mxheed doctor` on a real Postfix: content when all is well, precise when it is not."""

from __future__ import annotations

import json
import signal

import pytest

from tests.lab import Lab
from tests.lab.namespace import ENVIRONMENT, PYTHON
from tests.lab.postfix import DEFAULT_FRAGMENTS, FEWER, FEWER_FRAGMENTS

pytestmark = pytest.mark.live

OPEN = "{ unix:mxheed/policy, timeout=2s, try_limit=1, default_action=DUNNO }"
HOME = "/var/lib/mxheed/.local/state/mxheed"
# without the machine's own instance of Postfix, for one command
ALONE = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /etc/postfix && exec "$@"', "sh")
COMMAND = (*(f"{name}={value}" for name, value in ENVIRONMENT.items()), PYTHON, "-m", "policyd.cli")


def findings(lab: Lab, prefix: tuple[str, ...] = (), user: str = "root") -> list[str]:
    """What is not fine; the exit code always fits it. That a test machine is slow is not told."""
    arguments = ("doctor", "--config", "/run/mxheed.yaml", "--json")
    ran = lab.run(*prefix, "env", "HOME=/root", *COMMAND, *arguments, user=user)
    assert ran.err == ""
    told = [json.loads(line) for line in ran.out.splitlines()]
    levels = {one["level"] for one in told}
    assert ran.code == (1 if "wrong" in levels else 4 if "unchecked" in levels else 0)
    return [one["what"] for one in told if one["level"] != "fine" and " took " not in one["what"]]


def test_the_doctor_finds_nothing_in_a_healthy_lab(lab: Lab) -> None:
    """contrib/postfix as it stands, chrooted services and an unprivileged daemon: all is well."""
    lab.mxheed.start()
    assert findings(lab) == []


def test_the_doctor_tells_a_dead_daemon_from_a_hung_one(lab: Lab) -> None:
    """A missing socket and a silent one are different findings."""
    lab.mxheed.start()
    lab.mxheed.freeze()
    hung = findings(lab)
    assert len([one for one in hung if "timed out" in one]) == 3
    lab.mxheed.stop()
    dead = findings(lab)
    assert len([one for one in dead if "No such file" in one]) == 3


def test_the_doctor_looks_for_the_transports_that_mxheed_names(lab: Lab) -> None:
    """All there: nothing to tell. One is missing, one sends to too many: mail would suffer."""
    lab.postfix.configure(*DEFAULT_FRAGMENTS, *FEWER_FRAGMENTS)
    lab.mxheed.start({"serve": {"recipient_limits": list(FEWER)}})
    try:
        assert findings(lab) == []
        lab.check("postconf", "-MX", "mxheed-r10/unix")
        lab.check("postconf", "-e", "mxheed-r5_destination_recipient_limit=7")
        told = findings(lab)
    finally:
        lab.configure()
    assert sorted(told) == [
        "master.cf has no mxheed-r10, which mxheed may name: mail would wait for it",
        "mxheed-r5_destination_recipient_limit is 7, mxheed believes 5",
    ]


def test_the_doctor_sees_what_main_cf_lacks(lab: Lab) -> None:
    """A hook that main.cf does not name, and a policy check that would refuse mail."""
    lab.mxheed.start()
    lab.check("postconf", "-e", "smtp_dns_reply_filter=")
    lab.check(
        "postconf", "-e", "smtpd_recipient_restrictions=check_policy_service unix:mxheed/policy"
    )
    try:
        told = "\n".join(findings(lab))
    finally:
        lab.configure()
    assert "smtp_dns_reply_filter does not name socketmap:unix:mxheed/socketmap:mx" in told
    assert "without mxheed, smtpd refuses mail (451)" in told


IN_VAIN = {
    "permit_mynetworks, reject, CHECK": "stands behind 'reject' and is never asked",
    "permit_mynetworks, CHECK, reject": "mail that 'reject' refuses right after",
    "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, CHECK": "only asked "
    "about mail for your own domains",
    "CHECK": "programs in your own networks are told 450",
}


def test_a_policy_check_that_is_asked_in_vain_is_found(lab: Lab) -> None:
    """Behind what decides already, before what refuses anyway, or where a 450 loses mail."""
    lab.mxheed.start()
    try:
        for restrictions, what in IN_VAIN.items():
            text = restrictions.replace("CHECK", f"check_policy_service {OPEN}")
            lab.check("postconf", "-e", f"smtpd_recipient_restrictions={text}")
            [told] = findings(lab)
            assert what in told
    finally:
        lab.configure()


def test_the_doctor_sees_a_daemon_that_plays_the_sample(lab: Lab) -> None:
    """Green lights everywhere, and not a word of this machine's mail."""
    lab.mxheed.start({"log": {"path": "sample"}})
    assert any("plays the sample day" in one for one in findings(lab))


def test_the_doctor_sees_what_the_operator_did(lab: Lab) -> None:
    """Stepped aside; and a configuration that was refused."""
    lab.mxheed.start()
    assert lab.mxheed.cli("off", user="root").code == 0
    assert findings(lab) == ["mxheed has stepped aside and paces nothing"]
    good = lab.check("cat", "/run/mxheed.yaml")
    lab.check("tee", "/run/mxheed.yaml", text="nonsense: true\n")
    lab.call("signal", name="mxheed", number=signal.SIGHUP)
    lab.until(lambda: lab.http("http://127.0.0.1:9825/healthz")[0] == 503, "it is refused")
    lab.check("tee", "/run/mxheed.yaml", text=good)
    assert any("mxheed says of configuration" in one for one in findings(lab))


def test_what_only_root_can_see_is_told_to_others(lab: Lab) -> None:
    """Without root nothing is guessed: what was not looked at is said, with its exit code.

    Root judges by the rights of the process that runs, not by its own.
    """
    lab.mxheed.start()
    lab.check("chmod", "0600", "/var/log/mail.log")
    try:
        assert "mxheed cannot read /var/log/mail.log" in findings(lab)
    finally:
        lab.check("chmod", "0640", "/var/log/mail.log")
    told = findings(lab, user="alice")
    assert len([one for one in told if "only root can ask as Postfix does" in one]) == 3
    assert any("whether Postfix runs" in one for one in told)
    assert any("held mail may be released" in one and "you may not use" in one for one in told)


def test_the_doctor_works_without_a_default_instance(lab: Lab) -> None:
    """Only an instance elsewhere: it is looked at, and what its absence means for releases told."""
    lab.check("cp", "-a", "/etc/postfix", "/run/postfix-out")
    lab.mxheed.prepare()
    lab.mxheed.configure({"release": {"config_directory": ["/run/postfix-out"]}})
    lab.mxheed.launch(healthz=503)  # it says so itself
    try:
        asked = ("setpriv", "--reuid=mxheed", "postqueue", "-c", "/run/postfix-out", "-p")
        assert "main.cf: No such file" in lab.run(*ALONE, *asked).err
        told = "\n".join(findings(lab, ALONE))
        assert "mxheed may not ask for the queue of /run/postfix-out" in told
        assert "the daemon cannot let held messages go: `postqueue -c /run/postfix-out" in told
        lab.check("tee", "/run/mxheed.yaml", text="{}")
        assert any("main.cf: No such file" in one for one in findings(lab, ALONE))
    finally:
        lab.check("rm", "-rf", "/run/postfix-out")


@pytest.mark.parametrize("folder", [True, False], ids=["run", "home"])
def test_root_finds_a_daemon_that_was_started_by_hand(lab: Lab, folder: bool) -> None:
    """As user mxheed, with /run/mxheed or without: both sides look at the same places."""
    lab.mxheed.prepare()
    if not folder:
        lab.check("rm", "-rf", "/run/mxheed")
    lab.mxheed.configure({})
    lab.mxheed.launch()
    ran = lab.run("env", "HOME=/root", *COMMAND, "throttle", "list")
    assert (ran.code, ran.out) == (0, "Every receiver is free; nothing is held.\n")
    assert ran.err == ("" if folder else f"asking the daemon at {HOME}/control.sock\n")
