"""`mxheed doctor`: each thing that is wrong is found, alone, and told with a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import pytest

from policyd.doctor import CHECKS, examine
from policyd.doctor.postfix import seconds
from policyd.doctor.values import (
    DaemonSeen,
    Facts,
    Finding,
    Gap,
    HandSeen,
    Hook,
    HookProbe,
    Part,
    Service,
    Units,
)

MX = Hook("mx", "smtp_dns_reply_filter", "unix:mxheed/socketmap")
POLICY = Hook("policy", "smtpd_recipient_restrictions", "unix:mxheed/policy")
OPEN = "{ unix:mxheed/policy, timeout=2s, try_limit=1, default_action=DUNNO }"
HEALTHY = Facts(
    version=(3, 7, 11),
    running=True,
    parameters={
        "smtp_dns_reply_filter": "socketmap:unix:mxheed/socketmap:mx",
        "smtpd_recipient_restrictions": f"permit_mynetworks, check_policy_service {OPEN}",
        "authorized_flush_users": "static:anyone",
        "maximal_queue_lifetime": "5d",
        "default_destination_recipient_limit": "50",
        "smtp_destination_recipient_limit": "$default_destination_recipient_limit",
    },
    services=(
        Service("smtp", "unix", True, "smtp", {}),
        Service("smtp", "inet", True, "smtpd", {}),
    ),
    hooks=(MX, POLICY),
    probes=(HookProbe("mx", "x. 0 IN MX 10 .", True, "postfix", "NOTFOUND ", "", 0.001),),
    daemon=DaemonSeen(
        True, user="mxheed", groups=frozenset({"mxheed", "postdrop"}), log="/var/log/mail.log"
    ),
)


def troubles(facts: Facts) -> list[tuple[str, str]]:
    """What is not fine, and what to do."""
    return [(one.what, one.todo) for one in examine(facts) if one.level != "fine"]


def with_parameters(**changed: str) -> Facts:
    """The healthy machine with other settings in main.cf."""
    return replace(HEALTHY, parameters={**HEALTHY.parameters, **changed})


def test_a_healthy_machine_has_no_finding() -> None:
    """Nothing is told that need not be mended."""
    assert troubles(HEALTHY) == []


OUT = Service("out", "unix", True, "smtp", {"smtp_dns_reply_filter": ""})


def daemon(**changed: Any) -> Mapping[str, Any]:
    """The same facts with something else about mxheed."""
    return {"daemon": replace(HEALTHY.daemon, **changed)}


def probe(**changed: Any) -> Mapping[str, Any]:
    """The same facts with another outcome of the question."""
    return {"probes": (HEALTHY.probes[0]._replace(**changed),)}


CASES: dict[str, tuple[Mapping[str, Any], str, str]] = {
    "too old": ({"version": (2, 11, 3)}, "2.11.3 has no DNS reply filter", "3.0"),
    "not running": ({"running": False}, "Postfix is not running", "postfix start"),
    "no socket": (probe(error="No such file or directory"), "No such file", "queue directory"),
    "no right": (probe(error="Permission denied"), "Permission", "serve.group: postfix"),
    "nobody": (probe(error="Connection refused"), "refused", "mxheed bypass"),
    "hung": (probe(error="timed out"), "timed out", "hangs"),
    "temp": (probe(reply="TEMP out of order"), "answers 'TEMP out of order'", "NOTFOUND"),
    "slow": (probe(seconds=0.2), "took 200 ms", "CPU"),
    "not to be asked": (probe(blind="only root can"), "mx: only root can", "run it as root"),
    "not to be seen": ({"running": None}, "only told to root", "run it as root"),
    "daemon": (daemon(healthy=False), "/healthz", "start it"),
    "its own words": (
        daemon(healthy=False, troubles={"log": "cannot open /var/log/mail.log"}),
        "mxheed says of log: cannot open /var/log/mail.log",
        "its log",
    ),
    "sample": (daemon(source="the sample day"), "plays the sample day", "log.path"),
    "off": (daemon(active=False), "stepped aside", "mxheed on"),
    "tls": (
        daemon(ours="mail came without TLS", remedy="smtp_tls_security_level = may"),
        "mail came without TLS",
        "smtp_tls_security_level = may in main.cf",
    ),
    "old process": (
        {**daemon(version="1.0"), "own_version": "1.1"},
        "mxheed 1.0 runs, mxheed 1.1 is installed",
        "systemctl restart mxheed",
    ),
    "log": (daemon(log_readable=False), "cannot read", "usermod"),
    "postdrop": (
        daemon(groups=frozenset({"mxheed"})),
        "not in the group postdrop",
        "usermod -a -G postdrop mxheed",
    ),
    "hand": (
        daemon(release=HandSeen(trouble="`postqueue -i`: not allowed; add it to the list")),
        "the daemon cannot let held messages go: `postqueue -i`: not allowed; add it",
        "postqueue -f lets them go now",
    ),
    "unasked": (
        daemon(release=HandSeen(unasked="the daemon at /run/x does not answer")),
        "whether held messages can be let go: the daemon at /run/x does not answer",
        "ask again",
    ),
    "nobody is seen": (
        daemon(release=HandSeen(by_domain=9, by_message=1)),
        "which message asks the gate was not seen 9 of 10 times",
        "/proc/locks",
    ),
    "disabled": (
        daemon(release=HandSeen(enabled=False)),
        "are not let go (release.enabled",
        "wait for",
    ),
    "instance": (
        {"directory": "/etc/postfix-out", "directories": frozenset({"/etc/postfix"})},
        "mxheed may not ask for the queue of /etc/postfix-out",
        "add /etc/postfix-out to alternate_config_directories",
    ),
    "no default instance": (
        {
            "directory": "/etc/postfix-out",
            "missing": {"default": Gap("open /etc/postfix/main.cf: No such file")},
        },
        "may not ask for the queue of /etc/postfix-out: open /etc/postfix/main.cf: No such file",
        "names it in alternate_config_directories",
    ),
    "unit that cannot start": (
        {"units": Units(broken={"/etc/systemd/system/mxheed.service": "/opt/x is not there"})},
        "/etc/systemd/system/mxheed.service: /opt/x is not there",
        "mxheed setup systemd --write",
    ),
    "old unit": (
        {"units": Units(stale=("/etc/systemd/system/mxheed.service",))},
        "mxheed.service is not what this version ships",
        "mxheed setup systemd",
    ),
    "unit not enabled": (
        {"units": Units(paths=frozenset({"/etc/systemd/system/mxheed-policy.socket"}))},
        "mxheed-policy.socket does not start with the machine",
        "systemctl enable --now mxheed-policy.socket",
    ),
    "another configuration": (
        {"units": Units(configs=frozenset({"/etc/mxheed/mxheed.yaml"}))},
        "the unit runs with /etc/mxheed/mxheed.yaml; all of this is about the embedded defaults",
        "mxheed doctor --config /etc/mxheed/mxheed.yaml",
    ),
    "override": (
        {"services": (*HEALTHY.services, OUT)},
        "the service out overrides smtp_dns_reply_filter (empty)",
        "not paced",
    ),
    "chroot": (
        {
            "hooks": (MX._replace(address="unix:/run/mxheed/s"),),
            "parameters": {
                **HEALTHY.parameters,
                "smtp_dns_reply_filter": "socketmap:unix:/run/mxheed/s:mx",
            },
        },
        "chrooted and cannot see unix:/run/mxheed/s",
        "under the queue directory",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_fault_is_one_finding(name: str) -> None:
    """A fault is found, with a remedy, and nothing else is."""
    changes, what, todo = CASES[name]
    found = troubles(replace(HEALTHY, **changes))
    assert len(found) == 1
    assert what in found[0][0]
    assert todo in found[0][1]


@pytest.mark.parametrize(
    ("parameter", "value", "what"),
    [
        ("smtp_dns_reply_filter", "", "smtp_dns_reply_filter does not name socketmap:unix:"),
        (
            "smtpd_recipient_restrictions",
            "check_policy_service unix:mxheed/policy",
            "without mxheed, smtpd refuses mail (451)",
        ),
        (
            "smtpd_recipient_restrictions",
            "check_policy_service { unix:mxheed/policy, default_action=DUNNO }",
            "a hung mxheed delays each recipient",
        ),
        ("authorized_flush_users", "root", "mxheed may not release mail"),
        ("maximal_queue_lifetime", "1d", "maximal_queue_lifetime is 86400 s"),
        ("maximal_queue_lifetime", "3", "maximal_queue_lifetime is 259200 s"),
        ("bounce_queue_lifetime", "12h", "bounce_queue_lifetime is 43200 s"),
        ("smtp_destination_recipient_limit", "10", "smtp delivers to 10 recipients at once"),
        (
            "transport_maps",
            "hash:/etc/t, socketmap:unix:mxheed/socketmap:transport",
            "transport_maps in main.cf asks mxheed",
        ),
        ("relayhost", "[relay.example]", "relayhost is [relay.example]"),
    ],
)
def test_wrong_settings_are_found(parameter: str, value: str, what: str) -> None:
    """Each setting of main.cf that hurts is told."""
    assert any(what in found for found, _ in troubles(with_parameters(**{parameter: value})))


@pytest.mark.parametrize(
    ("parameter", "level"),
    [("smtp_dns_reply_filter", "wrong"), ("smtpd_recipient_restrictions", "note")],
)
def test_only_the_gate_is_needed(parameter: str, level: str) -> None:
    """Each hook is optional; without the gate, which is all that pacing needs, nothing is paced."""
    found = [one for one in examine(with_parameters(**{parameter: ""})) if one.level != "fine"]
    assert [(one.level, parameter in one.what) for one in found] == [(level, True)]


ASKED = f"check_policy_service {OPEN}"
OTHER = Service("submission", "inet", True, "smtpd", {"smtpd_recipient_restrictions": "reject"})


@pytest.mark.parametrize(
    ("restrictions", "level", "what"),
    [
        (f"permit_mynetworks, reject, {ASKED}", "wrong", "behind 'reject' and is never asked"),
        (f"permit_mynetworks, {ASKED}, reject", "wrong", "'reject' refuses right after"),
        (
            f"permit_mynetworks, permit_sasl_authenticated, {ASKED}",
            "wrong",
            "only asked about mail for your own domains",
        ),
        (ASKED, "note", "smtp/inet): programs in your own networks are told 450"),
        ("check_recipient_access hash:/etc/classes", "unchecked", "named in ours only"),
    ],
)
def test_a_policy_check_that_is_asked_in_vain_is_found(
    restrictions: str, level: str, what: str
) -> None:
    """Where it stands decides whom it asks; what an access table leads to cannot be known."""
    ours = {"smtpd_restriction_classes": "ours", "ours": ASKED}
    facts = with_parameters(smtpd_recipient_restrictions=restrictions, **ours)
    [found] = [one for one in examine(facts) if one.level != "fine"]
    assert found.level == level
    assert what in found.what


def test_a_class_that_is_named_is_looked_into() -> None:
    """A restriction class stands for its list."""
    named = {"smtpd_recipient_restrictions": "permit_mynetworks ours"}
    ours = {"smtpd_restriction_classes": "ours", "ours": ASKED}
    assert troubles(with_parameters(**named, **ours)) == []


def test_a_service_with_restrictions_of_its_own_does_not_ask() -> None:
    """-o in master.cf takes the place of main.cf; a service that asks by its own is fine."""
    found = troubles(replace(HEALTHY, services=(*HEALTHY.services, OTHER)))
    assert [what for what, _ in found] == [
        "the service submission/inet does not ask unix:mxheed/policy"
    ]
    own = {"smtpd_recipient_restrictions": f"permit_mynetworks, {ASKED}"}
    assert (
        troubles(replace(HEALTHY, services=(*HEALTHY.services, OTHER._replace(options=own)))) == []
    )


NEEDING = {
    part: [check.about for check in CHECKS if part in check.needs] for part in get_args(Part)
}


@pytest.mark.parametrize("part", [part for part in get_args(Part) if NEEDING[part]])
def test_what_could_not_be_looked_at_is_said_with_the_reason(part: Part) -> None:
    """Checks whose facts are missing are not asked: they are told as unchecked, once a reason."""
    found = list(examine(replace(HEALTHY, missing={part: Gap("it is dark", "light")})))
    unchecked = [one for one in found if one.level == "unchecked"]
    about = ", ".join(NEEDING[part])
    assert unchecked == [Finding("unchecked", f"{about}: it is dark", "light", about)]
    assert {one.level for one in found} <= {"fine", "unchecked"}


def test_a_machine_without_anything_is_told_in_findings() -> None:
    """Neither Postfix nor mxheed, and nothing known: no check trips over it."""
    dark = {part: Gap("not here") for part in get_args(Part)}
    nothing = Facts((), None, {}, (), (), (), DaemonSeen(False), missing=dark)
    levels = {about: one.level for one in examine(nothing) for about in one.about.split(", ")}
    assert levels.pop("mxheed is well") == "wrong"
    assert set(levels.values()) == {"unchecked"}


def test_each_check_has_a_name_of_its_own() -> None:
    """Scripts that read --json can tell findings apart by their check."""
    abouts = [check.about for check in CHECKS]
    assert len(set(abouts)) == len(abouts)
    assert {one.about for one in examine(HEALTHY)} <= set(abouts)


def test_the_second_postfix_hears_no_more_of_the_machine() -> None:
    """What is the same for all instances is told once."""
    facts = replace(HEALTHY, daemon=replace(HEALTHY.daemon, healthy=False))
    told = [one.about for one in examine(facts, first=False)]
    assert "mxheed is well" not in told
    assert "Postfix's version" in told


def test_the_policy_service_may_be_asked_at_any_stage() -> None:
    """An operator who names it in another restriction list has it."""
    check = f"permit_mynetworks, check_policy_service {OPEN}"
    moved = {"smtpd_recipient_restrictions": "", "smtpd_data_restrictions": check}
    assert troubles(with_parameters(**moved)) == []


MAP = "socketmap:unix:mxheed/socketmap:transport"
R10 = {"mxheed-r10_destination_recipient_limit": "10"}
PACED = replace(
    HEALTHY,
    parameters={**HEALTHY.parameters, **R10},
    services=(
        *HEALTHY.services,
        Service("qmgr", "unix", False, "qmgr", {"rewrite_service_name": "rewrite-queue"}),
        Service("rewrite", "unix", True, "trivial-rewrite", {}),
        Service("rewrite-queue", "unix", True, "trivial-rewrite", {"transport_maps": MAP}),
        Service("mxheed-r10", "unix", True, "smtp", {}),
    ),
    daemon=replace(HEALTHY.daemon, transports={"mxheed-r10": 10}),
)


def test_transports_that_are_all_there_have_no_finding() -> None:
    """contrib/postfix's resolver and recipients fragments, and the configuration for them."""
    assert troubles(PACED) == []


@pytest.mark.parametrize(
    ("changes", "what", "todo"),
    [
        ({"services": HEALTHY.services}, "queue manager does not ask mxheed", "rewrite-queue"),
        ({"services": PACED.services[:-1]}, "master.cf has no mxheed-r10", "setup postfix"),
        (
            {"parameters": HEALTHY.parameters},
            "mxheed-r10_destination_recipient_limit is nothing, mxheed believes 10",
            "mxheed-r10_destination_recipient_limit = 10",
        ),
        (
            {"parameters": {**PACED.parameters, "transport_maps": "hash:/etc/t"}},
            "queued mail does not see all of your transport_maps: hash:/etc/t",
            "before ours",
        ),
        (
            {
                "parameters": {
                    **PACED.parameters,
                    "sender_dependent_default_transport_maps": "hash:/etc/s",
                }
            },
            "goes past sender_dependent_default_transport_maps",
            "do without",
        ),
    ],
)
def test_transports_that_would_stop_or_misroute_mail_are_found(
    changes: Mapping[str, Any], what: str, todo: str
) -> None:
    """A transport that master.cf lacks, a resolver that is not asked, a relay that is passed."""
    [(found, remedy)] = troubles(replace(PACED, **changes))
    assert what in found
    assert todo in remedy


def test_what_main_cf_says_for_all_policy_services_counts() -> None:
    """A check that says nothing of its own fails as safely as main.cf has it."""
    told = {"default_action": "dunno", "timeout": "2s"}
    settings = {f"smtpd_policy_service_{name}": value for name, value in told.items()}
    bare = {
        "smtpd_recipient_restrictions": "permit_mynetworks, check_policy_service unix:mxheed/policy"
    }
    assert troubles(with_parameters(**bare, **settings)) == []


@pytest.mark.parametrize(
    ("text", "value"), [("5d", 432000), ("300s", 300), ("10", 10), ("1h", 3600), ("$x", 0)]
)
def test_postfix_times_are_read(text: str, value: float) -> None:
    """Units as Postfix writes them."""
    assert seconds(text) == value
