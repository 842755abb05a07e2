"""What the report shows: right, short, safe, the same in every form."""

from __future__ import annotations

import io
import json
import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from policyd.report import Settings, Summary, Tally, data, page, rows, summarise, text, words
from rules.verdict import Verdict
from tests.policyd.test_report_tally import DAY, REFUSED, UNKNOWN, delivery

HOSTILE = "450 [bold red]hi[/bold red] \x1b[2J <script>alert(1)</script> \u202e {{ 7*7 }} & \"'"


def busy(receivers: int = 40, texts: int = 60) -> Tally:
    """A tally of many receivers, the first ones busier, with many texts."""
    whole = Tally(lines=12_345, bytes=1_000_000)
    number = 0
    for place in range(receivers):
        for turn in range(60 // (place + 1) + 12):
            number += 1
            late = (turn * 977) % 86_000
            name = f"mx:host{place}.example"
            item = delivery(number, "sent", domain=f"d{turn % 5}.example", time=DAY + late)
            whole.add(item, name, None)
            if turn % 3 == 0:
                word = chr(97 + number % 26) * 3 + chr(97 + number // 26 % 26)
                reply = f"450 words {word}" if number % texts else HOSTILE
                verdict = REFUSED if turn % 2 else UNKNOWN
                whole.add(delivery(number, reply=reply, time=DAY + late), name, verdict)
    return whole


def printed(summary: Summary, width: int = 132, color: bool = False) -> str:
    """The report as a terminal of this width gets it."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=color, highlight=False)
    console.print(text.render(summary, UTC, narrow=width < 100))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 132, 200])
def test_the_report_fits_in_two_screens(width: int) -> None:
    """However much there is to tell, at most 90 lines are told, and none is wrapped."""
    lines = printed(summarise(busy(300), ["mail.log"]), width).splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= width


def test_all_tells_all() -> None:
    """With the limits off every receiver is in the report."""
    whole = busy(30)
    shown = printed(summarise(whole, settings=Settings(10**6, 10**6)))
    assert all(re.search(rf"{re.escape(name)}\b", shown) for name in whole.receivers)


def test_the_first_table_says_who_refuses_and_why() -> None:
    """A receiver that refuses half of its mail is named with share, reason and time on top."""
    whole = Tally()
    for number in range(200):
        outcome = "deferred" if number % 2 else "sent"
        whole.add(
            delivery(number, outcome, time=DAY + 60 * number),  # type: ignore[arg-type]
            "google",
            REFUSED if number % 2 else None,
        )
    (pain,) = summarise(whole).pains
    assert (pain.receiver, pain.category, pain.count, pain.share) == (
        "google",
        "flow.rate",
        100,
        0.5,
    )
    assert pain.rule == "google.flow.rate"
    assert pain.ongoing
    head = printed(summarise(whole)).split("Receivers")[0]
    assert re.search(r"google +50 % deferred +too much mail from us for now +flow.rate ×100", head)
    assert re.search(r"since \d\d:\d\d", head)


def test_lost_mail_comes_before_late_mail() -> None:
    """Of the same size, rejections are told before deferrals, and greylisting last."""
    grey = Verdict("flow.greylist", "greylisting.named", None, "recipient", "retry", False)
    block = Verdict("reputation.ip", "gmx.policy", "gmx", "ip", "pause", False)
    whole = Tally()
    for number in range(10):
        whole.add(delivery(number, reply="450 greylisted"), "mx:college.example", grey)
        whole.add(delivery(number), "google", REFUSED)
        whole.add(delivery(number, "bounced", "550 no"), "gmx", block)
    assert [pain.receiver for pain in summarise(whole).pains] == [
        "gmx",
        "google",
        "mx:college.example",
    ]


def test_what_stopped_is_called_over() -> None:
    """A reason not heard in the last half hour of the log is over."""
    whole = Tally()
    whole.add(delivery(1, time=DAY), "google", REFUSED)
    whole.add(delivery(2, "sent", time=DAY + 7200), "google", None)
    assert not summarise(whole).pains[0].ongoing


def test_the_numbers_add_up() -> None:
    """Shown and left-out receivers together are all deliveries, in every form."""
    whole = busy(60)
    summary = summarise(whole, settings=Settings(top=3, receivers=5))
    assert summary.rest is not None
    rows = [*summary.receivers, summary.rest]
    for outcome, count in summary.outcomes.items():
        assert sum(row.outcomes.get(outcome, 0) for row in rows) == count
    assert sum(row.attempts for row in rows) == summary.attempts
    assert sum(sum(map(sum, row.heat)) for row in rows) == summary.attempts
    assert summary.left["receivers"] == 55


def test_percentiles_are_those_of_the_delays() -> None:
    """Median and 95th percentile are values that occurred, at their rank."""
    whole = Tally()
    for number in range(100):
        item = delivery(number, "sent")._replace(delay=float(number), delays=(number, 0, 0, 0))
        whole.add(item, "google", None)
    (row,) = summarise(whole).slowest
    assert row.delays["total"] == (49.0, 94.0)
    assert row.delays["before_queue"] == (49.0, 94.0)
    assert row.delays["send"] == (0, 0)


@pytest.mark.parametrize(
    ("hours", "columns", "width"), [(5, 24, 1), (24, 24, 1), (25, 24, 2), (24 * 31, 24, 48)]
)
def test_the_heat_line_fits(hours: int, columns: int, width: int) -> None:
    """A log of any length is shown in whole slots within the columns given."""
    whole = Tally()
    start = DAY // 3600 * 3600
    for hour in range(hours):
        whole.add(delivery(hour, "sent", time=start + 3600 * hour), "google", None)
    summary = summarise(whole, settings=Settings(columns=columns))
    assert summary.slot_hours == width
    assert len(summary.slots) <= columns
    assert sum(map(sum, summary.receivers[0].heat)) == hours


def test_days_begin_at_their_own_midnight() -> None:
    """The slots of a log of several days are cut at midnight of the reader's zone and named so."""
    zone = timezone(timedelta(hours=2))
    whole = Tally()
    start = datetime(2026, 11, 15, 14, 30, tzinfo=zone).timestamp()
    for hour in range(24 * 4):
        whole.add(delivery(hour, "sent", time=start + 3600 * hour), "google", None)
    summary = summarise(whole, settings=Settings(columns=24, zone=zone))
    hours = {datetime.fromtimestamp(slot, zone).hour for slot in summary.slots}
    assert summary.slot_hours == 6
    assert hours == {0, 6, 12, 18}
    assert words.axis(summary, zone).split() == ["16", "17", "18", "19"]


@pytest.mark.parametrize("color", [False, True])
def test_foreign_text_cannot_command_the_terminal(color: bool) -> None:
    """Control characters and markup in a reply are shown, not obeyed."""
    whole = Tally()
    whole.add(delivery(1, reply=HOSTILE), "google", UNKNOWN)
    shown = printed(summarise(whole, ["\x1b[31mname.log"]), 200, color)
    assert "[bold red]hi[/bold red]" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert "\x1b[31mname" not in shown


class _Page(HTMLParser):
    """Collects the tags of a page and whether they are balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "line", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "rect"):
            assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_obeys_no_reply() -> None:
    """The page has no script, loads nothing, is well formed, and shows hostile text as text."""
    whole = busy(30)
    whole.add(delivery(1, reply=HOSTILE), "<b>google", UNKNOWN)
    html = page.render(summarise(whole, ["a<i>.log"], Settings(10**6, 10**6, 96, True)), UTC)
    reader = _Page()
    reader.feed(html)
    assert not reader.open
    tags = {tag for tag, _ in reader.seen}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    assert "a&lt;i&gt;.log" in html
    for _, attributes in reader.seen:
        assert not attributes.keys() & {"src", "href", "onload", "onclick"}
    assert "url(" not in html
    assert "@import" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "{{ 7*7 }}" in html


def test_every_picture_is_well_formed() -> None:
    """Each chart of the page is an XML document of its own."""
    html = page.render(summarise(busy(20), ["mail.log"], Settings(20, 20, 96)), UTC)
    pictures = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(pictures) > 20
    for picture in pictures:
        assert ElementTree.fromstring(picture).attrib["aria-label"]


def test_json_tells_the_same_numbers() -> None:
    """The object holds totals, rows and times that a program can read back."""
    whole = busy(10)
    told = json.loads(data.render(summarise(whole, ["mail.log"], Settings(10**6, 10**6))))
    assert told["lines"] == 12_345
    assert told["attempts"] == sum(row["attempts"] for row in told["receivers"])
    assert told["first"].endswith("+00:00")
    for row in told["receivers"]:
        assert row["outcomes"] == dict(whole.receivers[row["receiver"]].outcomes)
        assert sum(r["count"] for r in row["reasons"]) == row["outcomes"].get("deferred", 0)
        assert len(row["heat"]) == len(told["slots"])
    assert told["slowest"][0]["delays"]["total"].keys() == {"median", "p95"}


def test_an_empty_log_has_a_report_too() -> None:
    """No delivery is no error in any form."""
    summary = summarise(Tally(lines=3), ["mail.log"])
    assert "No delivery was attempted" in printed(summary)
    assert json.loads(data.render(summary))["receivers"] == []
    assert "no delivery" in page.render(summary, UTC)


def test_a_cap_that_was_hit_is_told() -> None:
    """The reader learns what did not fit, in the text and on the page."""
    whole = busy(3)
    whole.spilled["texts"] = 17
    summary = summarise(whole)
    assert "17 refusals had texts beyond" in printed(summary)
    assert "17 refusals had texts beyond" in page.render(summary, UTC)


def test_only_what_is_unknown_is_unclassified() -> None:
    """Texts without a rule are grouped, the biggest group first, and no others."""
    whole = Tally()
    for number in range(7):
        whole.add(delivery(number, reply=f"450 strange {number} thing"), "gmx", UNKNOWN)
    whole.add(delivery(9, reply="450 known"), "gmx", REFUSED)
    whole.add(delivery(10, reply="450 other"), "gmx", UNKNOWN)
    rows = summarise(whole).unclassified
    assert [(row.text, row.count) for row in rows] == [
        ("450 strange # thing", 7),
        ("450 other", 1),
    ]


def test_every_key_of_the_json_is_documented() -> None:
    """docs/report.md names each field of each row."""
    documented = (Path(__file__).parents[2] / "docs/report.md").read_text()
    for row in (Summary, *(getattr(rows, name) for name in rows.__all__ if name != "Settings")):
        for field in fields(row):
            assert f"`{field.name}`" in documented, f"{row.__name__}.{field.name}"
