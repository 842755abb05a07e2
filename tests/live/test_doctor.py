"""`mxheed doctor` on a real Postfix: content when all is well, precise when it is not."""

from __future__ import annotations

import json

import pytest

from tests.lab import Lab
from tests.lab.postfix import DEFAULT_FRAGMENTS, FEWER, FEWER_FRAGMENTS

pytestmark = pytest.mark.live


def findings(lab: Lab) -> list[str]:
    """What is not fine."""
    ran = lab.mxheed.cli("doctor", "--config", "/run/mxheed.yaml", "--json", user="root")
    assert ran.err == ""
    told = [json.loads(line) for line in ran.out.splitlines()]
    wrong = [one["what"] for one in told if one["level"] != "fine"]
    assert ran.code == (1 if any(one["level"] == "wrong" for one in told) else 0)
    return wrong


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
