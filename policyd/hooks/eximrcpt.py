"""Policy at submission for Exim: the policy service's own answers, to a question of an ACL.

Contract: the question names a recipient's domain and may name the sender and the user; it is put to
the same handler as Postfix's requests, so both say the same. Only what concerns one recipient is
passed on: `defer TEXT` or `reject TEXT`; all else is `go`.
Failure: what the handler raises is caught at its socket, which answers `go`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from policyd.serve.eximline import Question
from policyd.serve.policy import Request
from policyd.serve.readsocket import GO
from policyd.serve.session import Session

__all__ = ["answered"]

_VERBS = {b"DEFER_IF_PERMIT": b"defer", b"DEFER": b"defer", b"REJECT": b"reject"}
_UNFIT = re.compile(rb"[\x00-\x1f\x7f]")


def answered(
    question: Question, session: Session, policy: Callable[[Request, Session], bytes]
) -> bytes:
    """What the policy service says, in Exim's line protocol."""
    sender = question.told.get(b"sender", b"")
    lines = {
        b"request": b"smtpd_access_policy",
        b"protocol_state": b"RCPT",
        b"sender": sender,
        b"recipient": b"rcpt@" + question.domain,
        b"sasl_username": question.told.get(b"user", b""),
        b"policy_context": question.told.get(b"context", b""),
    }
    raw = b"".join(b"%b=%b\n" % (name, _UNFIT.sub(b"?", value)) for name, value in lines.items())
    action, _, text = policy(Request(raw), session).partition(b" ")
    verb = _VERBS.get(action)
    return b"%b %b" % (verb, text) if verb is not None and text else GO
