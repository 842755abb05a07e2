"""What /healthz and the page say of each log: bounded, printable, and not whose mail it was."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policyd.counting.facts import SourceFacts
from policyd.web.http import render
from policyd.web.logs import LONGEST, MOST, logs_view, masked
from policyd.web.view import LogView
from tests.policyd.serve_parts import services
from tests.policyd.test_serve_page import NOW, PAGE, Tree
from tests.policyd.test_serve_servers import get, settings, while_serving

MAIN = SourceFacts(
    "/var/log/mail.log",
    "file",
    at_end=True,
    behind=12_345,
    gap=17,
    lines=4212,
    lines_per_second=8.33333,
    deliveries_per_second=1.25,
    frame="syslog (RFC 3164)",
    offset=3600.0,
    offset_kind="zone",
    newest=int(NOW) - 120,
    unparsed=2,
    samples=("mx1 postfix/smtp[1]: 3F2A: to=<jane.doe@example.net>, status=odd",),
)


def test_healthz_tells_how_a_log_is_read(tmp_path: Path) -> None:
    """Each field has its value in the JSON."""
    shown = services(logs=lambda: logs_view([MAIN], NOW))
    _, text, _ = while_serving(settings(tmp_path), shown, lambda s: get(s, "/healthz"))
    assert json.loads(text)["log"] == {
        "followed": 1,
        "sources": [
            {
                "name": "/var/log/mail.log",
                "kind": "file",
                "trouble": "",
                "frame": "syslog (RFC 3164)",
                "offset_seconds": 3600.0,
                "offset_kind": "zone",
                "behind_bytes": 12_345,
                "newest": NOW - 120,
                "age_seconds": 120.0,
                "lines": 4212,
                "lines_per_second": 8.333,
                "deliveries_per_second": 1.25,
                "gap_bytes": 17,
                "unparsed": 2,
                "samples": ["mx1 postfix/smtp[1]: 3F2A: to=<…@example.net>, status=odd"],
            }
        ],
    }


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "/var/log/mail.log: newest line 2 min ago · 12\u202f345 bytes behind · frame: syslog"),
        ({}, "stamps 1 h behind, allowed for (another zone) · 2 unparsed · 17 bytes lost"),
        ({"offset": -90.0, "offset_kind": "clock"}, "stamps 2 min ahead, allowed for (a wrong"),
        ({"behind": 0}, "newest line 2 min ago · nothing behind"),
        ({"newest": 0}, "/var/log/mail.log: no line since the start"),
        ({"trouble": "permission <b>denied"}, "/var/log/mail.log: permission <b>denied · newest"),
    ],
)
def test_the_page_tells_it_in_a_line(changed: dict[str, object], words: str) -> None:
    """Age of the newest line, what is behind, frame, offset, unparsed lines."""
    logs = logs_view([dataclasses.replace(MAIN, **changed)], NOW)  # type: ignore[arg-type]
    page = dataclasses.replace(PAGE, log=LogView("x", True, NOW, 1, 0, logs))
    assert words in Tree(render(page)).text


def test_of_many_logs_the_worst_are_shown() -> None:
    """A trouble is never behind the edge, and the page says how many there are."""
    facts = [dataclasses.replace(MAIN, name=f"/log/{n}", behind=n) for n in range(300)]
    facts.append(dataclasses.replace(MAIN, name="/log/bad", behind=0, trouble="denied"))
    shown = logs_view(facts, NOW)
    assert (shown.followed, len(shown.sources)) == (301, MOST)
    assert [one.name for one in shown.sources[:3]] == ["/log/bad", "/log/299", "/log/298"]
    page = dataclasses.replace(PAGE, log=LogView("x", True, NOW, 1, 0, shown))
    assert f"{MOST} of 301 logs" in Tree(render(page)).text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("to=<jane.doe@example.net>, x=<jd@a.example>", "to=<…@example.net>, x=<…@a.example>"),
        ("=> jane <jane@example.net> R=r", "=> … <…@example.net> R=r"),
        ("to=<root>, relay=local", "to=<…>, relay=local"),
        ('to=<"a b"@example.net>', "to=<…@example.net>"),
        ("** bob+x@example.org F=<al@b.example>", "** …@example.org F=<…@b.example>"),
    ],
)  # fmt: skip
def test_samples_do_not_name_mailboxes(line: str, shown: str) -> None:
    """What stands before an @ is nobody's business; a domain tells what kind of mail it is."""
    assert masked(line) == shown


@given(st.text(max_size=400))
@example("\0" * 150)
def test_any_text_is_short_and_printable(text: str) -> None:
    """Whatever a remote server or a file's name says."""
    hostile = dataclasses.replace(MAIN, name=text, trouble=text, samples=(text,) * 9)
    (told,) = logs_view([hostile], NOW).sources
    assert len(told.samples) == 3
    for shown in (told.name, told.trouble, *told.samples):
        assert len(shown) <= LONGEST
        assert shown.isprintable()
