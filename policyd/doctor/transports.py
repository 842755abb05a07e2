"""Does mail leave by the transports that mxheed names, and is there anything it should not pass?

Contract: pure, as `policyd.doctor`, of which it is a part: findings from facts, each that is not
fine with what to do. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator

from policyd.doctor.values import Check, Facts, Finding

__all__ = ["CHECKS"]

# what a transport named by transport_maps takes precedence over
_PASSED = (
    "relayhost",
    "sender_dependent_relayhost_maps",
    "sender_dependent_default_transport_maps",
)


def _transports(facts: Facts) -> Iterator[Finding]:
    """All findings about the map `transport`."""
    ours = {f"socketmap:{hook.address}:transport" for hook in facts.hooks if hook.name == "mx"}
    mains = _maps(facts.parameters.get("transport_maps", ""))
    asked = _asked_for_queued_mail(facts, mains)
    if ours & mains:
        yield Finding(
            "wrong",
            "transport_maps in main.cf asks mxheed, so smtpd does too and refuses mail without it",
            "give the map to a resolver of the queue manager's own (contrib/postfix)",
        )
    if ours & asked:
        yield from _in_use(facts, mains - asked)
    elif facts.daemon.transports:
        yield Finding(
            "wrong",
            "the queue manager does not ask mxheed for transports, but some are configured",
            "mxheed setup postfix prints the lines for qmgr and rewrite-queue in master.cf",
        )


def _relay(facts: Facts) -> Iterator[Finding]:
    relayhost = facts.parameters.get("relayhost", "")
    if relayhost:
        yield Finding(
            "note",
            f"relayhost is {relayhost}: all mail goes there",
            "replies of the receivers behind it are not seen; only the relay itself can be paced",
        )


def _maps(text: str) -> set[str]:
    return set(text.replace(",", " ").split())


def _asked_for_queued_mail(facts: Facts, mains: set[str]) -> set[str]:
    """The transport maps that the queue manager's resolver looks into."""
    services = {service.name: service for service in facts.services if service.kind != "inet"}
    manager = services.get("qmgr")
    resolver = manager.options.get("rewrite_service_name", "rewrite") if manager else "rewrite"
    options = services[resolver].options if resolver in services else {}
    return _maps(options["transport_maps"]) if "transport_maps" in options else mains


def _in_use(facts: Facts, left_out: set[str]) -> Iterator[Finding]:
    yield Finding("fine", "the queue manager asks mxheed for transports")
    names = {service.name for service in facts.services if service.kind != "inet"}
    for name, recipients in facts.daemon.transports.items():
        parameter = f"{name}_destination_recipient_limit"
        limit = facts.parameters.get(parameter, "nothing")
        if name not in names:
            yield Finding(
                "wrong",
                f"master.cf has no {name}, which mxheed may name: mail would wait for it",
                "mxheed setup postfix prints it; or take it out of the configuration",
            )
        elif recipients and limit != str(recipients):
            yield Finding(
                "wrong",
                f"{parameter} is {limit}, mxheed believes {recipients}",
                f"write {parameter} = {recipients} in main.cf",
            )
    if left_out:
        yield Finding(
            "wrong",
            f"queued mail does not see all of your transport_maps: {', '.join(sorted(left_out))}",
            "name them before ours in the -o transport_maps of the queue manager's resolver",
        )
    for parameter in _PASSED if facts.daemon.transports else ():
        if facts.parameters.get(parameter):
            yield Finding(
                "wrong",
                f"mail that mxheed gives a transport goes past {parameter}",
                "do without serve.transports and serve.recipient_limits here",
            )


CHECKS = (
    Check("transports that mxheed names", _transports),
    Check("a relay for all mail", _relay),
)
