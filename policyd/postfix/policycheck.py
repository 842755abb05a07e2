"""The restriction list with our policy check where it is asked, and nobody loses mail by it.

Contract: pure. Without a list of yours it is the file contrib/postfix/policy.main.cf, word for
word; with one, that list with the check put in its place (or left where it stands, if that serves).
Failure: none.
"""

from __future__ import annotations

from policyd.postfix.restrictions import asked, items, place, service_of

__all__ = ["policy_text"]

_CHECK = "check_policy_service {{ {address}, timeout=2s, try_limit=1, default_action=DUNNO }}"

_HEAD = """\
# The policy service: back-pressure at submission for receivers that are suspended. It answers DUNNO
# or DEFER_IF_PERMIT (450 with the time to come back), never OK, and fails open: when nobody answers
# within 2 s, mail is accepted.
#
"""
_SPARED = """\
# Your own networks are not asked: a local program that never tries again loses its mail to a 450.
# If all that hand in mail there queue it and try again, put the check before permit_mynetworks.
"""
_PRESSED = """\
# Your own networks are asked, too: a local program that never tries again loses its mail to a 450.
# If there are such, put permit_mynetworks before the check.
"""
_NOBODY = """\
# As your list stands, nobody is asked: what is not from your own networks is refused anyway. If all
# that hand in mail there queue it and try again, put the check before permit_mynetworks; if not,
# leave this away.
"""


def policy_text(address: str, existing: str = "") -> str:
    """The lines for main.cf; `existing`: what smtpd_recipient_restrictions is today."""
    check = _CHECK.format(address=address)
    given = items(existing)
    reach = asked(given, address)
    if reach is None or reach.barred or reach.refused:
        others = [one for one in given if service_of(one) != address]
        given = place(others, check, spare=True)
        reach = asked(given, address)
    assert reach is not None  # it has just been put in
    spared = "permit_mynetworks" in reach.spared
    remark = _NOBODY if reach.refused else _SPARED if spared else _PRESSED
    lines = "".join(f"    {one}\n" for one in given)
    return f"{_HEAD}{remark}smtpd_recipient_restrictions =\n{lines}"
