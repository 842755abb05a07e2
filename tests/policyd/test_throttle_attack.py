"""Who may stop a receiver: what hostile recipients cost innocent mail, in seconds of delay.

Innocent mail to thirty domains of one receiver that is well; three minutes later hostile recipients
are refused for five minutes, in words that blame our address. Mean delay of innocent mail in these
five minutes, in seconds, at 5, 50 and 500 messages a minute; "before" is with one refusal enough:

| hostile | before | with witnesses |
|---|---|---|
| any row of `HARMLESS`, whatever the words | 108 to 149 | 0.1 |
| three domains that delivered for 15 minutes | 119 to 157 | 40, 2, 0.4 |
| ten such domains at 500 a minute | 119 | 28 |
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.policyd.attack import Attack, harm

RATE = "450 4.7.1 Too many messages from your IP address"
BLOCK = "554 5.7.1 Your IP address is blocked"
OWN = "421 4.7.28 unusual rate of mail, try again in 4 hours"
LOST = "lost connection with www.big.test[192.0.2.9] while receiving the initial server greeting"
TWENTY = tuple(f"evil{number}.test" for number in range(20))
TEN = TWENTY[:10]
THREE = TWENTY[:3]

HARMLESS = {
    "one mailbox, four hours": Attack(),
    "one mailbox, no time": Attack(hint=None, reply=RATE),
    "one mailbox, a block": Attack(hint=None, reply=BLOCK, category="reputation.ip"),
    "one mailbox, busy": Attack(hint=None, reply=RATE, category="flow.busy"),
    "one mailbox, connections": Attack(hint=None, reply=RATE, category="flow.connections"),
    "one mailbox, all at once": Attack(gap=0.01),
    "one mailbox, the stage unknown": Attack(stage=None),
    "one domain that takes every second": Attack(every=2),
    "one domain that delivered first": Attack(takes=3),
    "one domain, the receiver's own words": Attack(reply=OWN, rule="mx:big.test.rate"),
    "twenty fresh domains": Attack(domains=TWENTY),
    "twenty fresh domains at once": Attack(domains=TWENTY, gap=0.01),
    "twenty fresh domains that deliver first": Attack(domains=TWENTY, takes=3),
    "a host that takes no mail": Attack(
        net=True, category="net.lost", hint=None, stage="connect", host="www.big.test",
        reply=LOST, gap=0.5,
    ),
}  # fmt: skip

OUR_DOMAIN = "450 4.7.1 Your domain exceeded its rate"
# words about our sender's domain, which all innocent mail has as well
AGAINST_OUR_DOMAIN = {
    name: replace(attack, scope="domain", reply=OUR_DOMAIN)
    for name, attack in HARMLESS.items()
    if not attack.net and attack.category == "flow.rate"
}


@pytest.mark.parametrize("a_minute", [5, 50, 500])
@pytest.mark.parametrize("attack", AGAINST_OUR_DOMAIN.values(), ids=AGAINST_OUR_DOMAIN)
def test_nobody_alone_stops_the_mail_of_a_senders_domain(attack: Attack, a_minute: int) -> None:
    """What the receiver's lane knows of the witnesses counts in the domain's own lane, too."""
    found = harm(attack, a_minute)
    assert found.mean < 1
    assert found.worst < 5


@pytest.mark.parametrize("a_minute", [5, 50, 500])
@pytest.mark.parametrize("gap", [0.01, 2.0])
def test_a_sender_that_the_receiver_itself_blames_delays_nobody_else(
    a_minute: int, gap: float
) -> None:
    """One of our senders is refused for its domain at MAIL: others lose nothing."""
    attack = Attack(
        sender="news.example", scope="domain", stage="mail", reply=OUR_DOMAIN, gap=gap, messages=120
    )
    found = harm(attack, a_minute)
    assert found.mean < 1
    assert found.worst < 5


@pytest.mark.parametrize("a_minute", [5, 50, 500])
@pytest.mark.parametrize("attack", HARMLESS.values(), ids=HARMLESS)
def test_nobody_alone_delays_others(attack: Attack, a_minute: int) -> None:
    """One mailbox, one domain, twenty fresh domains, a dead host: others lose less than 5 s."""
    found = harm(attack, a_minute)
    assert found.mean < 1
    assert found.worst < 5


@pytest.mark.parametrize("a_minute", [5, 50, 500])
@pytest.mark.parametrize("gap", [0.01, 10.0])
def test_a_mailbox_at_a_great_domain_delays_nobody(a_minute: int, gap: float) -> None:
    """Half of all mail goes to the hostile mailbox's domain: its neighbours lose nothing."""
    found = harm(Attack(domains=("great.test",), gap=gap), a_minute, great=0.5)
    assert found.worst < 5


@pytest.mark.parametrize(
    ("domains", "a_minute", "mean"),
    [(THREE, 5, 60), (THREE, 50, 10), (THREE, 500, 3), (TEN, 500, 60)],
)
def test_several_domains_that_delivered_for_long_cost_a_bounded_time(
    domains: tuple[str, ...], a_minute: int, mean: float
) -> None:
    """Three or ten witnesses with a history are believed, and found out by probes of others."""
    attack = Attack(domains=domains, takes=3, prepared=900.0)
    assert harm(attack, a_minute).mean < mean
