"""What a Postfix that is there needs changed, so that held mail waits and nothing else does.

Contract: pure. From the same facts as the doctor's, taken as if the hooks were in force already:
pieces of main.cf and master.cf, and the doctor's own remedies as commands; nothing for a Postfix
that needs nothing. `theirs` are the tables its parameters name already. Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from policyd.doctor import examine
from policyd.doctor.safety import CHECKS, PROBE, probes_are_gated
from policyd.doctor.values import Facts
from policyd.postfix.setup import Fragment
from policyd.postfix.tables import merged, without

__all__ = ["safety", "theirs"]

_LINE = re.compile(r"\w+ =( \S+)?\Z")  # of main.cf
_PROBES = """\
# Address probes (reject_unverified_sender, reject_unverified_recipient) leave by a transport that
# does not ask mxheed: while a probe is held, smtpd refuses mail from or to that address (450).
address_verify_default_transport = {default}
address_verify_relay_transport = {relay}
"""
_PROBE = """\
# For address probes (see main.cf): what smtp does, without mxheed's filters.
mxheed-probe unix -     -       y       -       -       smtp
    -o syslog_name=postfix/mxheed-probe
    -o smtp_dns_reply_filter={gate}
    -o smtp_delivery_status_filter={status}
"""


def theirs(facts: Facts) -> Mapping[str, str]:
    """What the parameters that name our tables hold now."""
    names = (hook.parameter for hook in facts.hooks if hook.name in ("mx", "status"))
    return {name: facts.parameters.get(name, "") for name in (*names, "transport_maps")}


def safety(facts: Facts) -> Iterator[Fragment]:
    """What is to be changed."""
    ours = {hook.parameter: f"socketmap:{hook.address}:{hook.name}" for hook in facts.hooks}
    now = {name: value for name, value in theirs(facts).items() if name in ours}
    wired = {name: merged(value, ours[name]) for name, value in now.items()}
    facts = replace(facts, parameters={**facts.parameters, **wired})
    gate = ours.get("smtp_dns_reply_filter", "")
    if gate and probes_are_gated(facts, gate):
        left = {name: ",".join(without(value, ours[name])) for name, value in now.items()}
        yield Fragment("probes", "main.cf", _probes(facts))
        text = _PROBE.format(
            gate=left.get("smtp_dns_reply_filter", ""),
            status=left.get("smtp_delivery_status_filter", ""),
        )
        yield Fragment("probes", "master.cf", text)
    for finding in examine(facts, CHECKS):
        told = f"# {finding.what}\n{finding.todo}\n"
        if finding.todo.startswith("postconf "):
            yield Fragment("safety", "commands", told)
        elif _LINE.match(finding.todo):
            yield Fragment("safety", "main.cf", told)


def _probes(facts: Facts) -> str:
    """Probes keep the next-hop that mail has."""
    hops = {
        kind: facts.parameters.get(f"{kind}_transport", "").partition(":")[2]
        for kind in ("default", "relay")
    }
    named = {kind: f"{PROBE}:{hop}" if hop else PROBE for kind, hop in hops.items()}
    return _PROBES.format(**named)
