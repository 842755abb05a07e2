"""Whom a real smtpd asks: what we say about restriction lists is what Postfix does with them."""

from __future__ import annotations

from functools import partial

import pytest

from policyd.postfix.restrictions import asked, items
from tests.lab import Lab

pytestmark = pytest.mark.live

ADDRESS = "unix:mxheed/policy"
CHECK = f"check_policy_service {{ {ADDRESS}, timeout=2s, default_action=DUNNO }}"
# the client is in mynetworks, as smtpd is told here, and writes to somebody elsewhere
LISTS = [
    "CHECK",
    "permit_mynetworks, CHECK",
    "CHECK, permit_mynetworks, reject",
    "permit_mynetworks, reject, CHECK",
    "reject_unknown_sender_domain permit CHECK",
    "warn_if_reject reject, CHECK",
    "check_client_access static:OK, CHECK",
    "check_client_access static:DUNNO, CHECK",
    "check_recipient_access inline:{{ nobody@nowhere.test = OK }}, CHECK",
    "permit_sasl_authenticated, CHECK",
    "ours, permit",
    "defer_if_permit reject_unauth_pipelining CHECK",
]
PORT = 2600


def test_smtpd_asks_where_we_say_it_asks(lab: Lab) -> None:
    """For each list a service of its own: asked if and only if nothing before may have decided."""
    lab.postfix.configure("gate.main.cf")
    classes = ("smtpd_restriction_classes=ours", f"ours={CHECK}")
    lab.check("postconf", "-e", "mynetworks=127.0.0.0/8", *classes)
    for number, text in enumerate(LISTS):
        restrictions = text.replace("CHECK", CHECK)
        lab.postfix.add_services(
            f"{PORT + number} inet n - y - - smtpd\n"
            f"  -o {{ smtpd_recipient_restrictions = {restrictions} }}\n"
        )
    lab.postfix.restart()
    lab.mxheed.start()
    lab.receiver("fine")
    try:
        expected = questions(lab)
        for number, text in (*enumerate(LISTS), (0, "one too many before?")):
            lab.submit([f"u{number}@d0.fine.test"], port=PORT + number)
            reach = asked(items(LISTS[number].replace("CHECK", CHECK), {"ours": CHECK}), ADDRESS)
            assert reach is not None
            if not (reach.barred or "permit_mynetworks" in reach.spared):
                expected += 1
                # the page of a moment ago may be given once more; one question too many stays
                lab.until(partial(as_often, lab, expected), text)
    finally:
        lab.configure()
        lab.postfix.restart()


def as_often(lab: Lab, expected: float) -> bool:
    """Whether the policy service was asked just so often."""
    return questions(lab) == expected


def questions(lab: Lab) -> float:
    """How often the policy service was asked."""
    return lab.mxheed.total("mxheed_policy_answers_total")
