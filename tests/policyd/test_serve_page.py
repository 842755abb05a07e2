"""The status page: what it says, that hostile texts stay texts, how a real browser shows it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import uvloop

from policyd.serve.listeners import open_listeners
from policyd.serve.settings import ServeSettings
from policyd.serve.turns import Steps
from policyd.servers import serve
from policyd.web.http import render
from policyd.web.spelling import ago, legible, number, rate, share, span
from policyd.web.view import LaneView, LogView, Page, ReasonView, ReceiverView, Totals
from tests import browser
from tests.policyd.serve_parts import services
from tests.policyd.test_serve_servers import get, settings, while_serving

NOW = 1_800_000_000.0
HOSTILE = "421 <script>alert('x')</script> \u202eevil \x1b[31m & \" onload=x"

SLOWED = LaneView(
    "slowed", since=NOW - 840, rate=4.75, window=20, in_flight=7, held=312, deferred=5,
    next="The rate rises until it is refused.",
    reasons=(
        ReasonView("flow.rate", "google.ip.rate", "421 4.7.28 unusual rate of mail", 38,
                   NOW - 840, NOW - 30, "gmail-smtp-in.l.google.com", "ip"),
    ),
)  # fmt: skip
SUSPENDED = LaneView(
    "suspended", since=NOW - 300, until=NOW + 420, held=1502, next="In 7m one message probes it.",
    reasons=(ReasonView("reputation.ip", None, HOSTILE, 26, NOW - 300, NOW - 290, "<b>.test"),),
)  # fmt: skip
PAGE = Page(
    now=NOW,
    started=NOW - 93_000,
    version="0.1.0",
    host="mx-out1.example.org",
    asked={"mx": NOW - 3},
    log=LogView("/var/log/mail.log", True, NOW - 2, 1_284_412, 3),
    totals=Totals({"sent": 112_256, "deferred": 8231, "bounced": 1682, "held": 4}, 2, 1814, 5,
                  receivers=4, troubled=3),
    receivers=(
        ReceiverView("google", "Google", {"sent": 81_233, "deferred": 2110, "bounced": 341},
                     (("flow.rate", 1900), ("recipient.unknown", 300), ("recipient.full", 120),
                      ("recipient.rate", 90), ("auth.spf", 3)), 2, (SLOWED,)),
        ReceiverView("microsoft", "Microsoft", {"sent": 22_011, "deferred": 6110, "bounced": 1341},
                     (("reputation.ip", 5900),), 0, (SUSPENDED, LaneView("probing", pool="two"))),
        ReceiverView("gmx", "GMX", {"sent": 9000, "deferred": 10}, (("flow.greylist", 10),)),
        ReceiverView("mx:example.net", outcomes={"sent": 12, "deferred": 1, "held": 4}),
    ),
)  # fmt: skip


class Tree(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)
        self.text = re.sub(r"[ \n]+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("b", "code", "span", "time"):
            self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "words",
    [
        "Microsoft microsoft suspended since 5 min ago until in 7 min",
        "Next: In 7m one message probes it.",
        "Google google slowed since 14 min ago rate 4.75/s in flight 7 of 20",
        "held by us 312 deferred by them 5",
        "421 4.7.28 unusual rate of mail 38× flow.rate (too much mail from us for now)",
        "first 14 min ago, last 30 s ago · gmail-smtp-in.l.google.com · rule google.ip.rate",
        "no rule knows this text",
        "112\u202f256 accepted",
        "1\u202f284\u202f412 lines, the newest 2 s ago, 3 unparsed",
        "Up for 1 d 2 h",
        "unclassified 2",
    ],
)
def test_it_says_who_defers_why_since_when_and_what_is_next(words: str) -> None:
    """What a postmaster wants to know stands there in words."""
    assert words in Tree(render(PAGE)).text


def test_nothing_is_said_twice() -> None:
    """What is next stands in its own line, not at the end of the sentences before, too."""
    lane = LaneView("slowed", why="It is slowed. Mail flows.", next="Mail flows.")
    row = dataclasses.replace(PAGE.receivers[0], lanes=(lane,))
    text = Tree(render(dataclasses.replace(PAGE, receivers=(row,)))).text
    assert "It is slowed. Next: Mail flows." in text


def test_the_worst_comes_first() -> None:
    """Suspended receivers stand before slowed ones."""
    text = Tree(render(PAGE)).text
    assert text.index("In 7m one message") < text.index("Google google slowed")


def test_hostile_words_stay_words() -> None:
    """What a remote server says becomes neither markup nor control characters."""
    page = Tree(render(PAGE))
    assert [attrs for tag, attrs in page.elements if tag == "script"] == [
        {"src": "/page.js", "defer": None}
    ]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert "<script>alert('x')</script> \\u202eevil \\u001b[31m" in page.text


def test_nothing_is_loaded_from_elsewhere() -> None:
    """Every address on the page is on the same server, and no style is inline."""
    for tag, attrs in Tree(render(PAGE)).elements:
        for name in ("src", "href", "action"):
            assert (attrs.get(name) or "/").startswith("/"), (tag, attrs)
        assert "style" not in attrs, "the content security policy forbids it"


def test_an_empty_day_says_so() -> None:
    """Before the first delivery the page says what it waits for."""
    text = Tree(render(Page(now=NOW, started=NOW, version="1", log=LogView("journal")))).text
    assert "No delivery has been seen yet. Waiting for the first line of journal." in text
    assert "Reading the log." in text


def test_trouble_and_stepping_aside_are_told() -> None:
    """A daemon that is not well, or that was told to step aside, says so on top."""
    page = dataclasses.replace(
        PAGE, active=False, mode="off", troubles={"log": "mail.log cannot be read"}
    )
    text = Tree(render(page)).text
    assert "Off: stepped aside." in text
    assert "log: mail.log cannot be read" in text


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "No MTA has asked since mxheed started 1 d 2 h ago: the states below have no effect."),
        ({"mx": NOW - 7200, "policy": NOW - 90_000},
         "No MTA has asked since 2 h ago: the states below have no effect."),
        ({"mx": NOW - 7200, "policy": NOW - 5}, None),
    ],
)  # fmt: skip
def test_states_that_nobody_asks_for_are_told_to_have_no_effect(
    asked: dict[str, float], words: str | None
) -> None:
    """It is the first line of the page, before any number."""
    text = Tree(render(dataclasses.replace(PAGE, asked=asked))).text
    if words is None:
        assert "No MTA has asked" not in text
    else:
        assert text.index(words) < text.index("accepted")


def test_off_shadow_and_pins_are_shown_as_states() -> None:
    """The page says on top that no state has an effect, and each card bears the badge."""
    lane = dataclasses.replace(SUSPENDED, off=True, pinned=True)
    row = dataclasses.replace(PAGE.receivers[0], lanes=(lane,))
    off = dataclasses.replace(PAGE, mode="off", active=False, receivers=(row,))
    source = render(off)
    assert "Off: stepped aside." in Tree(source).text
    for mark in ("off", "pinned"):  # on its card and in its row
        assert source.count(f'class="badge {mark}"') == 2
    shadow = Tree(render(dataclasses.replace(PAGE, mode="shadow"))).text
    assert "Shadow. States are computed and nothing is held" in shadow


def test_a_lane_that_is_pinned_free_has_a_card() -> None:
    """An operator's word that ends some day is not hidden among the calm."""
    row = dataclasses.replace(PAGE.receivers[2], lanes=(LaneView("free", pinned=True),))
    assert 'class="card free"' in render(dataclasses.replace(PAGE, receivers=(row,)))


def test_a_flapping_lane_is_shown_with_its_stops() -> None:
    """Since it was free last, how often it was stopped, and since when it is as it is."""
    lane = dataclasses.replace(SUSPENDED, since=NOW - 7200, stops=8, changed=NOW - 60)
    row = dataclasses.replace(PAGE.receivers[1], lanes=(lane,))
    text = Tree(render(dataclasses.replace(PAGE, receivers=(row,)))).text
    assert "since 2 h ago · 8 stops · suspended since 1 min ago" in text


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        (span(0), "0 s"), (span(59.4), "59 s"), (span(3599), "60 min"), (span(7260), "2 h 1 min"),
        (span(93_000), "1 d 2 h"), (ago(10, 70), "1 min ago"),
        (ago(100, 70), "in 30 s"), (rate(4.75), "4.75/s"), (rate(0.5), "30/min"),
        (rate(0.01), "36/h"), (rate(0.0001), "0.36/h"), (number(1234567), "1\u202f234\u202f567"),
        (share(1, 3), "33 %"), (share(1, 300), "0.3 %"), (share(0, 5), "0 %"), (share(0, 0), "–"),
        (legible("a\nb\u2028c"), "a\\u000ab\\u2028c"),
    ],
)  # fmt: skip
def test_numbers_are_spelled_for_people(spelled: str, expected: str) -> None:
    """Two units of time, the rate in the unit that reads best, thousands apart."""
    assert spelled == expected


@pytest.mark.browser
def test_a_real_browser_shows_it_and_keeps_it_fresh(tmp_path: Path) -> None:
    """A browser draws page, style and mark without a complaint, and the script swaps in news."""
    name = browser.find()
    assert name
    wanted = ServeSettings(
        socketmap=(), policy=(), http=("inet:127.0.0.1:0",), control=str(tmp_path / "control")
    )
    asked = 0

    def page() -> Page:
        nonlocal asked
        asked += 1
        return dataclasses.replace(PAGE, version=f"fetch-{asked}")

    async def show() -> browser.Seen:
        servers = await serve(wanted, services(page=page), open_listeners(wanted))
        try:
            url = servers.addresses["http"][0].replace("inet:", "http://")
            return await asyncio.to_thread(browser.look, name, url, tmp_path)
        finally:
            await servers.close()

    seen = uvloop.run(show())
    assert not seen.complaints
    assert len(seen.picture) > 20_000
    shown = Tree(seen.document).text
    assert "fetch-1 " not in shown, "the script did not swap the page"
    assert f"mxheed fetch-{asked}" in shown or f"mxheed fetch-{asked - 1}" in shown
    assert "Microsoft" in shown


def test_the_state_is_there_as_json() -> None:
    """/api/state has the same tree, with plain values."""
    from policyd.web.http import _plain

    state = json.loads(json.dumps(_plain(PAGE)))
    assert state["receivers"][0]["lanes"][0]["reasons"][0]["rule"] == "google.ip.rate"
    assert state["receivers"][0]["outcomes"]["sent"] == 81_233


def test_the_page_is_cut_and_the_state_is_not(tmp_path: Path) -> None:
    """Over HTTP: the page asks for 60 receivers, /api/state for all."""
    wanted: list[int | None] = []

    def page(most: int | None) -> Steps[Page]:
        wanted.append(most)
        yield
        return PAGE

    def ask(servers: Any) -> list[int]:
        return [get(servers, path)[0] for path in ("/", "/api/state")]

    asked = dataclasses.replace(services(), page=page)
    assert while_serving(settings(tmp_path), asked, ask) == [200, 200]
    assert wanted == [60, None]
