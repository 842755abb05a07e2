"""Rolling hosts and domains up to receivers."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rules
from policyd.cli import main
from policyd.receiver.rollup import UNKNOWN, Receivers, canonical, registrable


class Table:
    """A small table with one exact rule and two suffix rules, one inside the other."""

    EXACT: ClassVar = {"mx.lonely.example": "lonely"}
    SUFFIX: ClassVar = {"google.com": "google", "special.google.com": "special"}

    def of_host(self, mx: str) -> str | None:
        if mx in self.EXACT:
            return self.EXACT[mx]
        while mx:
            if mx in self.SUFFIX:
                return self.SUFFIX[mx]
            mx = mx.partition(".")[2]
        return None

    def of_domain(self, domain: str) -> str | None:
        return {"gmail.com": "google"}.get(domain)


HOSTS = [
    ("mx.lonely.example", "lonely", "exact", "mx.lonely.example"),
    ("other.lonely.example", "mx:lonely.example", "registrable", "lonely.example"),
    ("alt1.aspmx.l.google.com", "google", "suffix", ".google.com"),
    ("ASPMX.L.GOOGLE.COM.", "google", "suffix", ".google.com"),
    ("a.special.google.com", "special", "suffix", ".special.google.com"),
    ("google.com.evil.example", "mx:evil.example", "registrable", "evil.example"),
    ("notgoogle.com", "mx:notgoogle.com", "registrable", "notgoogle.com"),
    ("mx1.firm.co.uk", "mx:firm.co.uk", "registrable", "firm.co.uk"),
    ("mx.shop.amazonaws.com", "mx:amazonaws.com", "registrable", "amazonaws.com"),
    ("box.home.myfritz.net", "mx:home.myfritz.net", "registrable", "home.myfritz.net"),
    ("localhost", "mx:localhost", "host", "localhost"),
    ("192.0.2.1", "ip:192.0.2.1", "literal", "192.0.2.1"),
    ("[IPv6:2001:DB8::1]", "ip:2001:db8::1", "literal", "2001:db8::1"),
    ("mail.bücher.example", "mx:xn--bcher-kva.example", "registrable", "xn--bcher-kva.example"),
    (".", UNKNOWN, "null", "."),
    ("two words.example", UNKNOWN, "unknown", "not a host name"),
    ('a"b\n.example', UNKNOWN, "unknown", "not a host name"),
]


@pytest.mark.parametrize(("host", "receiver", "how", "by"), HOSTS)
def test_each_host_is_rolled_up_by_the_first_rule_that_knows_it(
    host: str, receiver: str, how: str, by: str
) -> None:
    """A host goes by exact rule, longest suffix on label boundaries, registrable domain, itself."""
    found = Receivers(Table()).explain_host(host)
    assert (found.receiver, found.how, found.by) == (receiver, how, by)


def test_the_best_preference_decides_for_a_domain() -> None:
    """Backup exchangers of worse preference belong to nobody's limits until mail goes there."""
    found = Receivers(Table()).of_mx(
        "firm.example",
        [(20, "backup.elsewhere.example"), (5, "x.google.com."), (5, "y.google.com")],
    )
    assert (found.receiver, found.how) == ("google", "mx")
    assert [host.host for host in found.hosts] == ["x.google.com", "y.google.com"]
    assert found.others == ("backup.elsewhere.example",)


def test_hosts_of_equal_preference_must_agree() -> None:
    """A domain half at one receiver and half at another is neither's: it is shown as mixed."""
    found = Receivers(Table()).of_mx("d.example", [(5, "x.google.com"), (5, "mx.other.example")])
    assert (found.receiver, found.how) == ("mx:other.example", "mixed")


@pytest.mark.parametrize(
    ("domain", "records", "receiver", "how"),
    [
        ("plain.example", [], "mx:plain.example", "implicit"),
        ("nomail.example", [(0, ".")], UNKNOWN, "null"),
        ("odd.example", [(0, "."), (10, "x.google.com")], "google", "mx"),
        ("[192.0.2.7]", [], "ip:192.0.2.7", "literal"),
        ("named.example", [(10, "192.0.2.9")], "ip:192.0.2.9", "mx"),
    ],
)
def test_domains_without_ordinary_exchangers(
    domain: str, records: list[tuple[int, str]], receiver: str, how: str
) -> None:
    """Implicit, null and literal exchangers each have their own way; a stray null is ignored."""
    found = Receivers(Table()).of_mx(domain, records)
    assert (found.receiver, found.how) == (receiver, how)


def test_deliveries_teach_what_look_ups_may_not_overrule() -> None:
    """Where mail really went outweighs what DNS says, and a consumer domain comes last."""
    receivers = Receivers(Table())
    assert receivers.of_domain("gmail.com").how == "consumer"
    assert receivers.of_domain("firm.example").receiver == UNKNOWN
    assert receivers.learn("firm.example", "mx.lonely.example", 1.0) == "lonely"
    receivers.remember(receivers.of_mx("firm.example", [(1, "x.google.com")]), 2.0)
    assert receivers.of_domain("firm.example").receiver == "lonely"
    receivers.learn("firm.example", "x.google.com", 3.0)
    assert receivers.of_domain("firm.example").receiver == "google"
    assert receivers.domains() == {"google": ["firm.example"]}


def test_what_was_learnt_survives_as_plain_json() -> None:
    """A snapshot goes through JSON and is rolled up anew on the way back."""
    before = Receivers(Table())
    before.learn("firm.example", "x.google.com", 1.0)
    after = Receivers(Table())
    after.restore(json.loads(json.dumps(before.snapshot())))
    assert after.of_domain("firm.example").receiver == "google"


def test_the_tables_stay_within_their_bounds() -> None:
    """A flood of names forgets old ones instead of growing."""
    receivers = Receivers(Table(), cache=100, learnt=100)
    for number in range(1000):
        receivers.learn(f"d{number}.example", f"mx{number}.example", float(number))
        receivers.of_raw_host(b"MX%d.example." % number)
    assert len(receivers.snapshot()) <= 100
    assert receivers.of_domain("d999.example").receiver == "mx:mx999.example"
    assert receivers.of_domain("d0.example").receiver == UNKNOWN


@given(st.binary(max_size=300))
def test_any_bytes_from_dns_have_a_receiver_fit_to_be_a_label(raw: bytes) -> None:
    """Whatever a record holds, its receiver is printable ASCII without blanks or quotes."""
    receiver = Receivers(Table()).of_raw_host(raw)
    assert receiver
    assert receiver.isascii()
    assert not set(receiver) & set(" \"'\\{}\n\r\t\0")


@given(st.text(max_size=80))
def test_canonical_names_stay_canonical(text: str) -> None:
    """Making a name canonical twice changes nothing."""
    name = canonical(text)
    assert canonical(name) == name


def test_registrable_domains_ignore_private_suffixes() -> None:
    """Only registries' own suffixes count, or one operator would fall into many."""
    assert registrable("x.y.github.io") == "github.io"
    assert registrable("com") is None


def test_the_shipped_table_knows_the_big_ones() -> None:
    """The shipped rules roll well-known exchangers up to their receivers."""
    receivers = Receivers(rules.load().receivers)
    assert receivers.of_host("gmail-smtp-in.l.google.com") == "google"
    assert receivers.of_host("hotmail-com.olc.protection.outlook.com") == "microsoft"
    assert receivers.of_host("contoso-com.mail.protection.outlook.com") == "microsoft365"
    assert receivers.of_host("google.com.evil.example") == "mx:evil.example"


def test_receivers_with_limits_per_customer_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`mxheed receivers` says where each customer has limits of its own, and only there."""
    hosts = ["a.mail.protection.outlook.com", "smtp.gmail.com"]
    assert main(["receivers", "--no-dns", "--json", *hosts]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["receiver"], one["per_tenant"]) for one in told] == [
        ("microsoft365", True),
        ("google", False),
    ]
    assert main(["receivers", "--no-dns", *hosts]) == 0
    assert capsys.readouterr().out.count("each customer") == 1


@pytest.mark.parametrize("host", ["www.google.com", "google.com", "drive.google.com"])
def test_a_name_of_google_that_takes_no_mail_is_not_its_exchanger(host: str) -> None:
    """Anybody may write such a name into an MX record: what becomes of it is not Google's."""
    receivers = Receivers(rules.load().receivers)
    assert receivers.of_host(host) == "mx:google.com"
    for real in ("aspmx.l.google.com", "alt1.gmail-smtp-in.l.google.com", "smtp.google.com"):
        assert receivers.of_host(real) == "google"


def test_what_was_learnt_outlives_the_rules_it_was_learnt_under() -> None:
    """Under new rules each known domain is rolled up anew, in questions, lists and snapshots."""

    class Renamed(Table):
        SUFFIX: ClassVar = {"google.com": "alphabet"}

    first = Receivers(Table())
    for domain in ("one.example", "two.example", "three.example"):
        first.learn(domain, "mx.google.com", 1000.0)
    second = Receivers(Renamed())
    second.succeed(first)
    assert second.quick_of_domain("one.example") == "alphabet"
    assert second.of_domain("two.example").receiver == "alphabet"
    assert {row[0] for row in second.rows()} == {"one.example", "two.example", "three.example"}
    third = Receivers(Table())
    third.succeed(second)
    assert third.domains() == {"google": ["one.example", "three.example", "two.example"]}
