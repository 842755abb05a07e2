"""The closed list of categories a reply can fall into, with what each one means for the sender.

Contract: `CATEGORIES` maps a category id to its defaults; a rule may override scope and stance and
may only narrow `suppress`. Nothing outside this list is ever a category, a label or a counter name.
Failure: none; an unknown id is a `KeyError` for code and a diagnostic for a rule file.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from rules.verdict import Scope, Stance

__all__ = ["CATEGORIES", "SCOPES", "STANCES", "UNKNOWN", "Category", "Nature"]

# does the condition pass by itself (temporary), not (permanent), or is that for the code to say
Nature = Literal["temporary", "permanent", "either"]

SCOPES: tuple[Scope, ...] = (
    "ip",
    "domain",
    "recipient",
    "recipient-domain",
    "receiver",
    "connection",
    "message",
    "account",
)
STANCES: tuple[Stance, ...] = ("none", "retry", "slow", "pause", "stop")
UNKNOWN = "unknown"


class Category(NamedTuple):
    """Defaults of one category."""

    scope: Scope
    stance: Stance
    # "yes": one clear refusal is enough · "repeated": only a list of them over time · "no": never
    suppress: Literal["no", "repeated", "yes"]
    nature: Nature
    meaning: str


def _c(
    scope: Scope,
    stance: Stance,
    nature: Nature,
    meaning: str,
    suppress: Literal["no", "repeated", "yes"] = "no",
) -> Category:
    return Category(scope, stance, suppress, nature, meaning)


CATEGORIES: Mapping[str, Category] = MappingProxyType(
    {
        "accepted": _c("message", "none", "either", "the receiver took the message"),
        "recipient.unknown": _c(
            "recipient", "stop", "permanent", "no such mailbox", suppress="yes"
        ),
        "recipient.disabled": _c(
            "recipient",
            "stop",
            "either",
            "the mailbox exists but is switched off",
            suppress="repeated",
        ),
        "recipient.moved": _c(
            "recipient", "stop", "permanent", "the mailbox has moved away", suppress="yes"
        ),
        "recipient.full": _c("recipient", "retry", "either", "the mailbox is over its quota"),
        "recipient.rate": _c(
            "recipient", "slow", "temporary", "this mailbox receives too much mail just now"
        ),
        "recipient.refuses": _c(
            "recipient", "stop", "either", "this recipient does not want mail from this sender"
        ),
        "domain.unknown": _c(
            "recipient-domain",
            "stop",
            "either",
            "the recipient's domain does not exist or takes no mail",
            suppress="yes",
        ),
        "flow.connections": _c("receiver", "slow", "temporary", "too many connections from us"),
        "flow.rate": _c("receiver", "slow", "temporary", "too much mail from us for now"),
        "flow.messages": _c(
            "connection", "retry", "temporary", "too many messages in one connection"
        ),
        "flow.recipients": _c("message", "retry", "temporary", "too many recipients in a message"),
        "flow.quota": _c("account", "pause", "temporary", "a daily or hourly allowance is used up"),
        "flow.greylist": _c("recipient", "retry", "temporary", "come back later, on principle"),
        "flow.busy": _c("receiver", "retry", "temporary", "trouble on the receiver's side"),
        "reputation.blocklist": _c("ip", "pause", "either", "our address is on a public blocklist"),
        "reputation.ip": _c("ip", "pause", "either", "the receiver distrusts our address"),
        "reputation.domain": _c("domain", "pause", "either", "the receiver distrusts our domain"),
        "content.spam": _c("message", "stop", "permanent", "the message looks like spam"),
        "content.virus": _c("message", "stop", "permanent", "the message looks harmful"),
        "content.size": _c("message", "stop", "permanent", "the message is too large"),
        "content.url": _c(
            "message", "stop", "permanent", "a link in the message is listed or unwanted"
        ),
        "content.attachment": _c(
            "message", "stop", "permanent", "an attached file is not accepted"
        ),
        "content.format": _c("message", "stop", "permanent", "the message is not well formed"),
        "auth.spf": _c("domain", "stop", "either", "SPF does not allow our address"),
        "auth.dkim": _c("domain", "stop", "either", "the DKIM signature is missing or bad"),
        "auth.dmarc": _c("domain", "stop", "either", "the sender domain's DMARC policy refuses"),
        "auth.other": _c("domain", "stop", "either", "the sender is not authenticated enough"),
        "identity.ptr": _c("ip", "pause", "either", "our address has no proper reverse name"),
        "identity.helo": _c("ip", "pause", "either", "the receiver dislikes our HELO name"),
        "policy.relay": _c(
            "recipient-domain", "stop", "permanent", "the server does not handle this domain"
        ),
        "policy.sender": _c("domain", "stop", "either", "the sender address is not accepted"),
        "policy.geo": _c("ip", "stop", "permanent", "our country or network is not accepted"),
        "policy.other": _c("message", "stop", "either", "refused by a local policy"),
        "session.tls": _c("connection", "retry", "either", "encryption failed or is required"),
        "session.certificate": _c(
            "receiver", "retry", "either", "a certificate is not trusted or does not fit"
        ),
        "session.policy": _c(
            "recipient-domain", "retry", "either", "what DANE or MTA-STS demand is not met"
        ),
        "session.auth": _c("account", "stop", "either", "the log-in failed or is required"),
        "account.suspended": _c(
            "account", "pause", "either", "our own account is blocked or paused"
        ),
        "account.quota": _c(
            "account", "pause", "either", "our own account's plan or credit is used up"
        ),
        "net.connect": _c("receiver", "retry", "temporary", "no connection could be made or kept"),
        "net.timeout": _c("receiver", "retry", "temporary", "the other side took too long"),
        "net.dns": _c("recipient-domain", "retry", "temporary", "a name could not be looked up"),
        "net.loop": _c("recipient-domain", "stop", "permanent", "the mail goes round in circles"),
        "protocol.error": _c("connection", "stop", "either", "the dialogue went wrong"),
        "delivery.expired": _c("message", "stop", "permanent", "given up after its lifetime"),
        UNKNOWN: _c("message", "retry", "either", "nobody has written a rule for this text yet"),
    }
)
