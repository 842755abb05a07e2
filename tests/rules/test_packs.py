"""The shipped packs and the receiver table: complete, consistent, and proved by their examples."""

from __future__ import annotations

import re

import pytest

from rules import Classifier, load
from rules.check import check
from rules.model import Rule, RuleSet
from rules.reply import read
from rules.taxonomy import CATEGORIES


@pytest.fixture(scope="module")
def shipped() -> RuleSet:
    """The rule set as it is installed."""
    return load()


@pytest.fixture(scope="module")
def judge(shipped: RuleSet) -> Classifier:
    """A classifier over the shipped rules."""
    return Classifier(shipped)


def test_the_packs_hold(shipped: RuleSet) -> None:
    """Every rule wins every example of its own, loses every near miss, and can fire."""
    assert [str(problem) for problem in check(shipped)] == []


def test_every_category_a_remote_can_say_has_a_rule(shipped: RuleSet) -> None:
    """No category of the closed list is a promise that no pack keeps."""
    said = {rule.category for rule in shipped.rules if "remote" in rule.when.origins}
    assert set(CATEGORIES) - said == {"unknown"}


def test_many_receivers_have_rules_of_their_own(shipped: RuleSet) -> None:
    """At least thirty receivers speak their own dialect in the packs."""
    named = {name for rule in shipped.rules for name in rule.when.receivers if name != "unknown"}
    assert len(named) >= 30


def test_every_rule_says_where_it_comes_from(shipped: RuleSet) -> None:
    """A rule without source and date cannot be checked again."""
    assert [rule.id for rule in shipped.rules if not rule.source or not rule.seen] == []


def test_the_receiver_table_is_broad(shipped: RuleSet) -> None:
    """At least eighty operators, each with at least one host name."""
    table = shipped.receivers.by_id.values()
    assert len(table) >= 80
    assert [receiver.id for receiver in table if not (receiver.exact or receiver.suffix)] == []


@pytest.mark.parametrize(
    ("host", "receiver"),
    [
        ("gmail-smtp-in.l.google.com", "google"),
        ("ALT1.ASPMX.L.GOOGLE.COM.", "google"),
        ("aspmx3.googlemail.com", "google"),
        ("hotmail-com.olc.protection.outlook.com", "microsoft"),
        ("contoso-com.mail.protection.outlook.com", "microsoft365"),
        ("contoso-com.a-v1.mx.microsoft", "microsoft365"),
        ("mta6.am0.yahoodns.net", "yahoo"),
        ("mx5.mail.yahoo.co.jp", "yahoo-jp"),
        ("mx01.mail.icloud.com", "icloud"),
        ("mx00.emig.gmx.net", "gmx"),
        ("mx-ha02.web.de", "webde"),
        ("mx01.kundenserver.de", "ionos"),
        ("mx03.t-online.de", "t-online"),
        ("smtpz4.laposte.net", "laposte"),
        ("mx0b-00123456.pphosted.com", "proofpoint"),
        ("us-smtp-inbound-2.mimecast.com", "mimecast"),
        ("cxr.mx.a.cloudfilter.net", "cox"),
        ("shw-central.mx.a.cloudfilter.net", "shaw"),
        ("other.mx.a.cloudfilter.net", "cloudfilter"),
        ("inbound-smtp.eu-west-1.amazonaws.com", "amazon"),
        ("mx.core.locaweb.com.br", "locaweb"),
        ("smtp-relay.gmail.com", "google"),
        ("smtp-mail.outlook.com", "microsoft"),
        ("google.com.evil.example", None),
        ("notgoogle.com", None),
        ("mail.example.org", None),
    ],
)
def test_hosts_roll_up_to_their_receiver(shipped: RuleSet, host: str, receiver: str | None) -> None:
    """A host belongs to the receiver whose suffix it lies under, on label boundaries only."""
    assert shipped.receivers.of_host(host) == receiver


@pytest.mark.parametrize(
    ("reply", "mx", "category"),
    [
        # one sentence, two meanings: who says it decides
        ("550 Requested action not taken: mailbox unavailable", None, "recipient.unknown"),
        (
            "550-Requested action not taken: mailbox unavailable\n"
            "550 Reject due to policy restrictions.",
            "mx00.gmx.net",
            "reputation.ip",
        ),
        ("550 Mailbox unavailable or access denied", "mx1.qq.com", "recipient.rate"),
        (
            "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)",
            "contoso-com.mail.protection.outlook.com",
            "recipient.unknown",
        ),
        ("552 too many recipients", "mfsmax.docomo.ne.jp", "flow.recipients"),
        ("550 Too many messages. Try again in 92 seconds.", None, "flow.rate"),
    ],
)
def test_a_sentence_means_what_its_receiver_means_by_it(
    judge: Classifier, reply: str, mx: str | None, category: str
) -> None:
    """Limits and blocks that wear the words of a missing user are told apart."""
    assert judge.classify(reply, mx=mx).category == category


FACTS = [  # what receivers tell, or are known to mean: reply, MX, stage, category, scope, stance
    (
        "552 Requested mail action aborted", "mfsmax.docomo.ne.jp", "rcpt",
        "recipient.full", "recipient", "retry",
    ),
    ("550 Unknown user a", "mfsmax.docomo.ne.jp", "rcpt", "recipient.unknown", "recipient", "stop"),
    ("550 Unknown user a", "mfsmax.docomo.ne.jp", "eod", "recipient.refuses", "recipient", "stop"),
    ("550 MI:SFQ 163 mx4", "163mx01.mxmail.netease.com", "mail", "flow.rate", "ip", "slow"),
    ("550 RP:QRC 163", "163mx01.mxmail.netease.com", "rcpt", "recipient.rate", "recipient", "slow"),
    ("550 MI:NHD 126 mx2", "163mx01.mxmail.netease.com", "helo", "identity.helo", "ip", "pause"),
    ("554 HL:MEP 163", "163mx01.mxmail.netease.com", "connect", "reputation.ip", "ip", "pause"),
    (
        "550 Mailbox unavailable or access denied [abc IP: 198.51.100.71]", "mx3.qq.com", "rcpt",
        "recipient.rate", "recipient", "slow",
    ),
    ("450 Administrative reject", "mx00.mail.com", "rcpt", "flow.busy", "receiver", "retry"),
    ("550 black ip.", None, "connect", "reputation.ip", "ip", "pause"),
    ("550 user is locked.", None, "rcpt", "recipient.disabled", "recipient", "stop"),
    ("552 too many same size mails.", None, "eod", "flow.rate", "receiver", "slow"),
    ("554 rbl deny.", None, "connect", "reputation.blocklist", "ip", "pause"),
    (
        "450 4.7.1 <a@example.net>: Recipient address rejected: sorry, max 2 requests per hour",
        None, "rcpt", "flow.rate", "ip", "slow",
    ),
    (
        "450 4.7.1 <b@example.org>: Sender address rejected: sender quota of 200/day reached",
        None, "rcpt", "flow.quota", "account", "pause",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "mx", "stage", "category", "scope", "stance"), FACTS)
def test_what_is_known_of_a_receiver_holds(
    judge: Classifier,
    reply: str,
    mx: str | None,
    stage: str,
    category: str,
    scope: str,
    stance: str,
) -> None:
    """What a receiver means by a terse reply is taken as it means it."""
    verdict = judge.classify(reply, mx=mx, stage=stage)
    assert (verdict.category, verdict.scope, verdict.stance) == (category, scope, stance)


@pytest.mark.parametrize(
    "words", ["550 Unknown user", "550 5.1.1 User unknown", "550 No such user"]
)
def test_docomo_never_gives_up_an_address(judge: Classifier, words: str) -> None:
    """At docomo a missing user may be the user's own filter, whatever the words."""
    for stage in (None, "rcpt", "data", "eod"):
        assert not judge.classify(words, mx="mfsmax.docomo.ne.jp", stage=stage).suppress


def test_nothing_stops_under_a_temporary_code_without_words(
    shipped: RuleSet, judge: Classifier
) -> None:
    """Each shipped example, made temporary, says stop only if its text speaks of what stays."""
    rash = []
    for rule in shipped.rules:
        for example in rule.examples:
            if example.reply[:1] != "5" or example.origin == "local":
                continue
            reply = re.sub(r"(?<![\w.])5(?=\d\d\b|\.\d)", "4", example.reply)
            verdict = judge.classify(reply, mx=example.mx, stage=example.stage)
            if verdict.stance == "stop" and "permanent_text_temporary_code" not in verdict.flags:
                rash.append((verdict.rule, reply))
    assert rash == []
    assert judge.classify("450 4.7.1 Relay access denied").stance == "retry"
    assert judge.classify("450 4.1.1 User unknown").stance == "stop"


LIMITS_IN_PERMANENT_DRESS = [
    ("550 5.2.1 The user you are trying to contact is receiving email too quickly.", "google"),
    ("550-5.2.1 The user is receiving mail at a rate that prevents additional messages", "google"),
    ("550 5.4.5 Daily user sending limit exceeded. - gsmtp", "google"),
    ("550 5.2.121 The recipient's per hour message receive limit was exceeded", "microsoft365"),
    ("550 5.2.122 The recipient has exceeded their limit of messages per hour", "microsoft365"),
    (
        "550 5.7.508 Access denied, [2001:db8::1] exceeded limits within its IPv6 range",
        "microsoft365",
    ),
    ("550 Ip frequency limited", "qq"),
    ("550 Domain frequency limited", "qq"),
    ("550 Connection frequency limited", "qq"),
    ("552 too many recipients", "docomo"),
    ("550 This IP has sent too many messages this hour. IB504", "godaddy"),
    ("550 This message has exceeded the max number of messages per session. IB510", "godaddy"),
    ("550 This IP has sent too many to too many recipients this hour. IB607", "godaddy"),
    ("550 RP:ORQ 163 mx12 please see http://mail.163.com/help/help_spam_16.htm", "netease"),
    ("554 HL:ITC 163 mx5 please see http://mail.163.com/help/help_spam_16.htm", "netease"),
    ("550 Exceeding outbound thread limit", "mimecast"),
    ("550 Too many messages. Try again in 92 seconds.", None),
    ("571 sorry, reached maximum number of recipients allowed in one session", None),
    ("550 Domain example.org has exceeded the max emails per hour (90/80) allowed", None),
    ("554 too many connections", None),
]


@pytest.mark.parametrize(("reply", "receiver"), LIMITS_IN_PERMANENT_DRESS)
def test_a_limit_under_a_permanent_code_is_a_limit(
    judge: Classifier, reply: str, receiver: str | None
) -> None:
    """A limit spoken as 5yz is paced, not taken for the end of an address."""
    for known in {receiver, None}:
        verdict = judge.classify(reply, receiver=known)
        family = verdict.category.partition(".")[0]
        assert family == "flow" or verdict.category == "recipient.rate", verdict
        assert (verdict.stance in ("retry", "slow", "pause"), verdict.suppress) == (True, False)


LIMITS_AND_BLOCKS = [
    "550 5.2.1 The user you are trying to contact is receiving mail too quickly.",
    "550-5.2.1 The user you are trying to contact is receiving mail at a rate that prevents more",
    "553 5.7.1 [BL23] Connections not accepted from 192.0.2.1, on a block list",
    "550 Ip frequency limited",
    "550 5.2.121 The recipient's per hour message receive limit was exceeded",
    "550 Mailbox unavailable or access denied",
    "550-Requested action not taken: mailbox unavailable\n550 Reject due to policy restrictions.",
    "550 5.1.1 User unknown; rejected, 192.0.2.1 is listed in zen.spamhaus.org",
    "550 5.1.1 rate limit exceeded, unknown user",
    "550 No such user here, greylisted",
    "550 5.1.1 invalid recipient, try again later",
    "450 4.1.1 User unknown",
    "550 5.1.1",
    "550 4.2.2 no such user",
    "550 Sender verify failed: no such user here",
    "550 5.1.8 Sender address rejected: Domain not found",
    "552 too many recipients",
    "550 IB607 This IP has sent to too many recipients this hour",
    "550 5.7.1 Unknown user account restriction: message refused by policy",
    "501 5.1.3 Bad recipient address syntax",
    "550 User unknown: your IP 192.0.2.3 has a bad reputation",
]


@pytest.mark.parametrize("mx", [None, "mx1.qq.com", "mx00.gmx.net", "mta5.am0.yahoodns.net"])
@pytest.mark.parametrize("reply", LIMITS_AND_BLOCKS)
def test_a_limit_or_a_block_never_suppresses(judge: Classifier, reply: str, mx: str | None) -> None:
    """No list manager drops an address because of what a receiver thinks of us."""
    assert not judge.classify(reply, mx=mx).suppress


def _speaks_of_us(rule: Rule) -> bool:
    """Is the rule about a limit, a block or a passing state, and does it know it by words."""
    family = rule.category.partition(".")[0]
    about = family in ("flow", "reputation", "auth", "identity") or rule.category in (
        "recipient.rate",
        "recipient.full",
        "content.spam",
    )
    worded = bool(rule.when.any or rule.when.all) and not rule.vague
    return about and worded and "remote" in rule.when.origins


def test_an_unknown_user_beside_any_limit_or_block_never_suppresses(
    shipped: RuleSet, judge: Classifier
) -> None:
    """Put before every limit and block the packs know, "User unknown" gives nobody up."""
    given_up = [
        (rule.id, example.reply)
        for rule in shipped.rules
        if _speaks_of_us(rule)
        for example in rule.examples
        if judge.classify(
            f"550 5.1.1 User unknown; {read(example.reply).spoken}", mx=example.mx
        ).suppress
    ]
    assert given_up == []


@pytest.mark.parametrize("stage", [None, "mail", "rcpt"])
@pytest.mark.parametrize("reply", ["550 No such user here", "550 5.1.1 User unknown"])
def test_before_rcpt_nobody_speaks_of_the_recipient(
    judge: Classifier, reply: str, stage: str | None
) -> None:
    """In answer to MAIL FROM an unknown user is our own sender address."""
    assert judge.classify(reply, stage=stage).suppress is (stage != "mail")


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 <nobody@example.net>: Recipient address rejected: User unknown",
        "550 No such user here",
        "550 5.1.1 nobody@example.net... User unknown",
        "550 5.1.2 <a@nowhere.example>: Recipient address rejected: Domain not found",
        "556 5.1.10 Recipient address has a null MX",
    ],
)
def test_a_plain_word_about_a_missing_address_may_suppress(judge: Classifier, reply: str) -> None:
    """What is truly gone is said to be gone."""
    assert judge.classify(reply).suppress
