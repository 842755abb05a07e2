"""The page that refreshes itself leaves its reader alone; in a real browser."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from policyd.serve.listeners import open_listeners
from policyd.serve.settings import ServeSettings
from policyd.servers import serve
from policyd.web.view import LaneView, Page, ReceiverView, Totals
from tests import browser
from tests.policyd.serve_parts import services
from tests.policyd.test_serve_page import PAGE, SLOWED, SUSPENDED

pytestmark = pytest.mark.browser

MANY = tuple(ReceiverView(f"mx:r{n}.example", outcomes={"sent": 90 - n}) for n in range(55))


@contextmanager
def site(folder: Path, page: Callable[[], Page]) -> Iterator[str]:
    """The page, served from a thread."""
    wanted = ServeSettings(
        socketmap=(), policy=(), http=("inet:127.0.0.1:0",), control=str(folder / "control")
    )
    up, found = threading.Event(), {}

    async def run() -> None:
        servers = await serve(wanted, services(page=page), open_listeners(wanted))
        found["url"] = servers.addresses["http"][0].replace("inet:", "http://")
        found["loop"], found["end"] = asyncio.get_running_loop(), asyncio.Event()
        up.set()
        await found["end"].wait()
        await servers.close()

    thread = threading.Thread(target=lambda: uvloop.run(run()))
    thread.start()
    assert up.wait(20)
    try:
        yield found["url"]
    finally:
        found["loop"].call_soon_threadsafe(found["end"].set)
        thread.join(20)


class Shown:
    """A page in a browser, and what is served next."""

    def __init__(self) -> None:
        self.page = dataclasses.replace(PAGE, receivers=(*PAGE.receivers, *MANY))
        self.evaluate: browser.Evaluate = lambda expression: None

    def becomes(self, **changes: Any) -> None:
        """The next fetch brings another page; returns when it is shown."""
        version = f"next-{time.monotonic_ns()}"
        self.page = dataclasses.replace(self.page, version=version, **changes)
        self.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        self.wait(f"document.getElementById('foot').textContent.includes('{version}')")

    def wait(self, condition: str) -> None:
        """Until a condition holds in the page."""
        end = time.monotonic() + 60
        while not self.evaluate(condition):
            assert time.monotonic() < end, condition
            time.sleep(0.05)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    name, folder, found = browser.find(), tmp_path_factory.mktemp("page"), Shown()
    assert name
    with site(folder, lambda: found.page) as url, browser.living(name, url, folder) as evaluate:
        found.evaluate = evaluate
        found.wait("document.readyState == 'complete' && typeof refresh == 'function'")
        yield found


@pytest.fixture(autouse=True)
def afresh(shown: Shown) -> None:
    """Each test begins with the same page."""
    shown.becomes(receivers=(*PAGE.receivers, *MANY), now=PAGE.now, totals=PAGE.totals)


def test_a_selection_survives(shown: Shown) -> None:
    """Words that are being copied stay selected while numbers beside them change."""
    shown.evaluate("getSelection().selectAllChildren(document.querySelector('blockquote'))")
    before = shown.evaluate("getSelection().toString()")
    assert before.startswith("421")
    shown.becomes(now=PAGE.now + 60, totals=Totals({"sent": 7}))
    assert shown.evaluate("getSelection().toString()") == before


def test_the_focus_survives_also_where_cards_change_places(shown: Shown) -> None:
    """A summary that has the focus keeps it, though its card is not the first any more."""
    name = "why-microsoft-"
    shown.evaluate(f"document.getElementById({name!r}).querySelector('summary').focus()")
    worse = dataclasses.replace(SLOWED, state="suspended", held=9_999)
    google = dataclasses.replace(PAGE.receivers[0], lanes=(worse,))
    shown.becomes(receivers=(google, *PAGE.receivers[1:], *MANY))
    cards = "[...document.querySelectorAll('article')].map((card) => card.id)"
    assert shown.evaluate(cards)[0] == "card-google-"
    assert shown.evaluate("document.activeElement.closest('details').id") == name


def test_scrolling_survives(shown: Shown) -> None:
    """The page stays where it was scrolled to."""
    shown.evaluate("scrollTo(0, 700)")
    shown.becomes(now=PAGE.now + 60)
    assert shown.evaluate("scrollY") == 700


def test_what_was_opened_or_closed_stays_so(shown: Shown) -> None:
    """The reader's choice stands against what the page would open by itself."""
    shown.evaluate("document.getElementById('why-google-').open = false")
    shown.becomes(now=PAGE.now + 60)
    assert shown.evaluate("document.getElementById('why-google-').open") is False
    assert shown.evaluate("document.getElementById('why-microsoft-').open") is True


def test_only_what_is_different_is_touched(shown: Shown) -> None:
    """Of a page in which one number changed, nothing else is written."""
    shown.evaluate(
        "globalThis.touched = new Set(), new MutationObserver((all) => all.forEach((one) => "
        "touched.add(one.target.parentElement?.closest('tr, .sums p')?.id || one.target.nodeName)))"
        ".observe(document.getElementById('page'), {subtree: true, childList: true, "
        "characterData: true, attributes: true})"
    )
    other = dataclasses.replace(MANY[7], outcomes={"sent": 1234})
    shown.becomes(receivers=(*PAGE.receivers, *MANY[:7], other, *MANY[8:]))
    assert shown.evaluate("[...touched]") == ["row-mx:r7.example"]


def test_what_it_comes_to_is_what_was_sent(shown: Shown) -> None:
    """Receivers come, go and change places: the page in the end is the one a reload shows."""
    lanes = (SUSPENDED, LaneView("probing", pool="two", stops=4, since=1.0))
    google = dataclasses.replace(PAGE.receivers[0], lanes=lanes)
    shown.becomes(
        receivers=(*reversed(MANY[::3]), google, PAGE.receivers[3]),
        troubles={"log": "it is gone"},
        asked={},
        mode="off",
    )
    shown.evaluate(
        "fetch('/').then((answer) => answer.text()).then((text) => { globalThis.sent = "
        "new DOMParser().parseFromString(text, 'text/html').getElementById('page') }), 0"
    )
    shown.wait("globalThis.sent !== undefined")
    plain = ".outerHTML.replace(/ open=\"\"/g, '')"
    assert shown.evaluate(f"document.getElementById('page'){plain} === sent{plain}")
