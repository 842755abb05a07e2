"""`mxheed doctor`: settings that would lead held mail elsewhere, bounce it or void the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from policyd.doctor import examine
from policyd.doctor.values import Facts
from policyd.postfix.postconf import Service
from tests.policyd.test_doctor import HEALTHY, troubles, with_parameters

GATE = "socketmap:unix:mxheed/socketmap:mx"


@pytest.mark.parametrize(
    ("parameter", "value", "level", "what"),
    [
        ("smtp_fallback_relay", "[b.test]", "wrong", "while mxheed is away mail leaves by it"),
        ("ignore_mx_lookup_error", "YES", "wrong", "mail bounces while mxheed is away"),
        ("smtp_host_lookup", "native", "wrong", "nothing can be held"),
        ("smtp_dns_support_level", "disabled", "wrong", "nothing can be held"),
        ("disable_dns_lookups", "Yes", "wrong", "nothing can be held"),
        ("delay_warning_time", "4h", "note", "is told so"),
        ("smtp_dns_reply_filter", f"{GATE}, pcre:/x", "note", "asks pcre:/x after mxheed"),
        ("smtpd_sender_restrictions", "reject_unverified_sender", "wrong", "address probes"),
    ],
)
def test_settings_that_lead_held_mail_elsewhere_are_found(
    parameter: str, value: str, level: str, what: str
) -> None:
    """One finding each, with what to do; not where the transport overrides it or has no gate."""
    facts = with_parameters(**{"address_verify_default_transport": "smtp", parameter: value})
    (found,) = (one for one in examine(facts) if one.level != "fine")
    assert (found.level, what in found.what, bool(found.todo)) == (level, True, True)


@pytest.mark.parametrize(
    "changed",
    [
        {"smtp_host_lookup": "dns, native"},
        {"smtp_host_lookup": "native, dns"},
        {"smtp_dns_reply_filter": f"pcre:/x, {GATE}"},
        {"delay_warning_time": "0h"},
        {"best_mx_transport": "local"},
        {
            "smtpd_sender_restrictions": "reject_unverified_sender",
            "address_verify_default_transport": "mxheed-probe",
        },
    ],
)
def test_settings_that_do_no_harm_are_left_alone(changed: Mapping[str, str]) -> None:
    """The gate sees these, or they are the remedy."""
    probe = Service("mxheed-probe", "unix", True, "smtp", {"smtp_dns_reply_filter": ""})
    facts = replace(with_parameters(**changed), services=(*HEALTHY.services, probe))
    assert troubles(facts) == []


def test_a_harmful_setting_is_mended_where_it_stands() -> None:
    """In main.cf, unless transports that are not paced want it; in a transport's own options."""
    free = Service("free", "unix", True, "smtp", {"smtp_dns_reply_filter": ""})
    own = Service("own", "unix", True, "smtp", {"smtp_fallback_relay": "[c.test]"})
    main = with_parameters(smtp_fallback_relay="[b.test]")
    smtp = HEALTHY.services[0]

    def told(facts: Facts, *services: Service) -> list[str]:
        found = troubles(replace(facts, services=services))
        return [todo for what, todo in found if "smtp_fallback_relay" in what]

    override = "postconf -P '{}/unix/smtp_fallback_relay='"
    assert told(main, smtp) == ["smtp_fallback_relay ="]
    assert told(main, smtp, free) == [override.format("smtp")]
    assert told(HEALTHY, smtp, own) == [override.format("own")]
    assert told(main, smtp, own) == ["smtp_fallback_relay =", override.format("own")]


def test_a_transport_that_overrides_a_harmful_setting_is_well() -> None:
    """The remedy that the doctor tells is one."""
    harmful = with_parameters(smtp_fallback_relay="[b.test]")
    healed = Service("smtp", "unix", True, "smtp", {"smtp_fallback_relay": ""})
    assert troubles(replace(harmful, services=(healed,))) == []


def test_a_second_relay_host_is_found() -> None:
    """Held mail for the first would leave by it."""
    told = dict(troubles(with_parameters(relayhost="[a.test]:587, [b.test]")))
    assert (
        told[
            "relayhost names 2 hosts: while mxheed is away mail leaves by the next, "
            "and bounces where that one cannot be found"
        ]
        == "relayhost = [a.test]:587"
    )
    (one,) = troubles(with_parameters(relayhost="[a.test]:587"))
    assert one[0].startswith("relayhost is")
