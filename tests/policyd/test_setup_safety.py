"""What `mxheed setup postfix` changes in a Postfix that is there, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policyd.doctor.mending import safety, theirs
from policyd.doctor.values import DaemonSeen, Facts, Hook
from policyd.postfix.commands import commands
from policyd.postfix.postconf import Service
from policyd.postfix.setup import fragments
from policyd.serve.settings import ServeSettings
from policyd.throttle.settings.pacing import PacingSettings

SMTP = Service("smtp", "unix", True, "smtp", {})
THERE = Facts(
    version=(3, 7, 11),
    running=True,
    parameters={"default_transport": "smtp", "address_verify_default_transport": "smtp"},
    services=(SMTP, Service("relay", "unix", True, "smtp", {})),
    hooks=(
        Hook("mx", "smtp_dns_reply_filter", "unix:mxheed/socketmap"),
        Hook("status", "smtp_delivery_status_filter", "unix:mxheed/socketmap"),
    ),
    probes=(),
    daemon=DaemonSeen(True),
)


def having(**parameters: str) -> Facts:
    """A Postfix that has these settings and knows nothing of mxheed."""
    return replace(THERE, parameters={**THERE.parameters, **parameters})


PROBING = having(smtpd_recipient_restrictions="permit_mynetworks, reject_unverified_recipient")


THEIRS = "regexp:/etc/postfix/no_aaaa, inline:{ {a, b = IGNORE}, {c=IGNORE} } pcre:/etc/x"


def test_filters_that_are_there_are_kept_and_asked_first() -> None:
    """Ours is the last of the list, once, however often the lines were printed and added."""
    ours = "socketmap:unix:mxheed/socketmap"
    serve = ServeSettings(socketmap=("unix:/var/spool/postfix/mxheed/socketmap",))
    value = THEIRS
    for _ in range(2):
        there = theirs(having(smtp_dns_reply_filter=value, smtp_delivery_status_filter="pcre:/y"))
        texts = {
            piece.name: piece.text for piece in fragments(serve, PacingSettings(), {}, theirs=there)
        }
        (line,) = (one for one in texts["gate"].splitlines() if not one.startswith("#"))
        value = line.partition(" = ")[2]
    kept = "regexp:/etc/postfix/no_aaaa, inline:{ {a, b = IGNORE}, {c=IGNORE} }, pcre:/etc/x"
    assert value == f"{kept}, {ours}:mx"
    assert f"smtp_delivery_status_filter = pcre:/y, {ours}:status\n" in texts["status"]


@pytest.mark.parametrize(
    ("maps", "option"),
    [
        ("hash:/a, texthash:/b", "transport_maps=hash:/a,texthash:/b,{}"),
        ("inline:{ {a = b:} }", "{{ transport_maps = inline:{{ {{a = b:}} }}, {} }}"),
    ],
)
def test_transport_maps_that_are_there_are_seen_for_queued_mail_too(maps: str, option: str) -> None:
    """The queue manager's resolver asks them before ours."""
    serve = ServeSettings(
        socketmap=("unix:/var/spool/postfix/mxheed/socketmap",), recipient_limits=(1,)
    )
    there = theirs(having(transport_maps=maps))
    texts = {
        piece.name: piece.text for piece in fragments(serve, PacingSettings(), {}, theirs=there)
    }
    ours = "socketmap:unix:mxheed/socketmap:transport"
    assert f"    -o {option.format(ours)}\n" in texts["resolver"]


def test_probes_keep_the_filters_and_the_next_hop_that_mail_has() -> None:
    """Only mxheed's own filters are taken away from them."""
    facts = having(
        smtpd_sender_restrictions="reject_unverified_sender",
        smtp_dns_reply_filter="pcre:/x, socketmap:unix:mxheed/socketmap:mx",
        default_transport="smtp:[relay.test]",
        address_verify_default_transport="smtp:[relay.test]",
    )
    main, master = (piece.text for piece in safety(facts))
    assert "address_verify_default_transport = mxheed-probe:[relay.test]\n" in main
    assert "    -o smtp_dns_reply_filter=pcre:/x\n" in master
    assert "    -o smtp_delivery_status_filter=\n" in master


@pytest.mark.parametrize(
    ("parameter", "value", "told"),
    [
        ("smtp_fallback_relay", "[b.test]", "smtp_fallback_relay ="),
        (
            "ignore_mx_lookup_error",
            "yes",
            "ignore_mx_lookup_error = no",
        ),
        ("smtp_host_lookup", "native", "smtp_host_lookup = dns"),
        ("relayhost", "[a.test], [b.test]", "relayhost = [a.test]"),
    ],
)
def test_settings_that_would_send_held_mail_elsewhere_are_overridden(
    parameter: str, value: str, told: str
) -> None:
    """With the reason in front; a Postfix that has none of them is told nothing."""
    assert list(safety(THERE)) == []
    printed = "".join(piece.text for piece in safety(having(**{parameter: value})))
    assert f"\n{told}\n" in printed
    assert printed.startswith("# ")


def test_overrides_of_a_transport_are_commands_for_its_instance() -> None:
    """`--commands` and the printed lines do the same, in the Postfix that is meant."""
    own = Service("own", "unix", True, "smtp", {"smtp_fallback_relay": "[c.test]"})
    pieces = list(safety(replace(THERE, services=(SMTP, own))))
    assert [piece.file for piece in pieces] == ["commands"]
    override = "postconf{} -P 'own/unix/smtp_fallback_relay='"
    assert override.format("") in pieces[0].text
    assert override.format(" -c /etc/out") in commands(pieces, "/etc/out")
