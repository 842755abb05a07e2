"""More connections than places: who asks stays, strangers make way, each kind has its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.serve.listen import parse
from policyd.serve.peer import peer_of
from policyd.serve.places import REGULAR, Places
from policyd.serve.shares import Shares, need, share
from tests.policyd.serve_parts import Wire, services
from tests.policyd.test_serve_servers import settings, talk, while_serving


class Guest:
    """A connection as `Places` sees it."""

    def __init__(
        self, last: float = 0.0, asked: int = 0, peer: Hashable = None, busy: bool = False
    ) -> None:
        self.last, self.asked, self.peer, self.busy = last, asked, peer, busy
        self.gone = False

    def send_away(self, now: float) -> None:
        self.gone = True


def full(*guests: Guest, most_of_peer: int = 99) -> Places:
    """As many places as guests, all taken."""
    places = Places(len(guests), most_of_peer)
    for guest in guests:
        assert places.enter(guest, guest.last)
    return places


def test_who_never_asked_goes_first_the_oldest_before_the_others() -> None:
    """Strangers make way one by one, even if a client that asked once is idle for longer."""
    old = Guest(0.0, asked=1)
    strangers = [Guest(float(number)) for number in range(1, 4)]
    places = full(old, *strangers)
    for stranger in strangers:
        assert places.enter(Guest(200.0, asked=1), 200.0)
        assert stranger.gone
    assert not old.gone


def test_then_the_longest_idle_goes() -> None:
    """Of those that asked, who is idle for longest; nobody within the time a client may think."""
    idle, idler, active = Guest(5.0, asked=9), Guest(2.0, asked=9), Guest(95.0, asked=9)
    places = full(idle, idler, active)
    assert places.enter(Guest(99.0, asked=1), 100.0)
    assert places.enter(Guest(99.0, asked=1), 100.0)
    assert (idler.gone, idle.gone, active.gone) == (True, True, False)
    assert not places.enter(Guest(99.0), 100.0), "everybody here has a right to be"


def test_who_waits_for_our_answer_stays() -> None:
    """An attempt at the door is idle only because of us."""
    waiting = Guest(0.0, asked=1, busy=True)
    assert not full(waiting).enter(Guest(500.0), 500.0)
    assert not waiting.gone


def test_a_peer_beyond_its_share_loses_its_own_connections_only() -> None:
    """One address cannot take the places of the others, not even while there are more."""
    other = Guest(0.0, peer="192.0.2.1")
    mine = [Guest(1.0 + number, peer="192.0.2.2") for number in range(3)]
    places = Places(10, 3)
    for guest in (other, *mine, Guest(50.0, peer="192.0.2.2")):
        assert places.enter(guest, guest.last)
    assert [guest.gone for guest in (other, *mine)] == [False, True, False, False]
    assert len(places) == 4


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.booleans(), st.sampled_from([None, "a", "b"])),
        min_size=1, max_size=60,
    ),
    st.integers(1, 6),
    st.integers(1, 6),
)  # fmt: skip
def test_nobody_who_asks_is_ever_sent_away(
    visits: list[tuple[int, bool, str | None]], most: int, each: int
) -> None:
    """Whoever comes when: the places are never too many, and only the idle lose theirs."""
    places, now = Places(most, each), 0.0
    here: list[Guest] = []
    for pause, asks, peer in visits:
        now += pause
        guest = Guest(now, int(asks), peer)
        if places.enter(guest, now):
            here.append(guest)
        for gone in [one for one in here if one.gone]:
            here.remove(gone)
            assert not gone.asked or now - gone.last > REGULAR
        assert len(places) == len(here) <= most
        assert sum(one.peer == "a" for one in here) <= each
        for one in here[::2]:
            if one.asked:
                one.last = now


def test_guests_leave_once() -> None:
    """A connection that was sent away ends a little later: that frees no second place."""
    first, second = Guest(0.0, peer="a"), Guest(1.0, asked=1, peer="a")
    places = full(first)
    assert places.enter(second, 1.0)
    places.leave(first)
    assert len(places) == 1
    places.leave(second)
    assert len(places) == 0


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("127.0.0.1", None), ("::1", None), ("::ffff:127.0.0.1", None),
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1::1", 0x20010DB800000001), ("2001:db8:0:1:f::9", 0x20010DB800000001),
        ("fe80::1%eth0", 0xFE80000000000000), ("odd", None),
    ],
)  # fmt: skip
def test_who_a_tcp_peer_is(address: str, owner: Hashable) -> None:
    """An address, a network of IPv6; on the loopback nobody in particular."""

    class From(Wire):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return (address, 4711) if name == "peername" else default

    assert peer_of(From()).owner == owner


@contextlib.contextmanager
def hoard(address: str, count: int) -> Iterator[None]:
    """Idle connections."""
    place, lines = parse(address), []
    try:
        for _ in range(count):
            lines.append(socket.socket(socket.AF_UNIX if place.path else socket.AF_INET))
            lines[-1].settimeout(10)
            lines[-1].connect(place.path or (place.host, place.port))
        yield
    finally:
        for line in lines:
            line.close()


@pytest.mark.parametrize("hook", ["socketmap", "policy"])
@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_idle_strangers_at_the_cap_lock_nobody_out(tmp_path: Path, hook: str, kind: str) -> None:
    """All places are taken by idle connections: who asks is answered, who asked before stays."""
    question, answer = {
        "socketmap": (b"4:mx x,", b"4:OK x,"),
        "policy": (b"request=smtpd_access_policy\n\n", b"action=DUNNO\n\n"),
    }[hook]

    def ask(servers: Any) -> list[bytes]:
        address = next(one for one in servers.addresses[hook] if one.startswith(kind))
        place = parse(address)
        with socket.socket(socket.AF_UNIX if place.path else socket.AF_INET) as regular:
            regular.settimeout(10)
            regular.connect(place.path or (place.host, place.port))
            regular.sendall(question)
            found = [regular.recv(100)]
            with hoard(address, 60):
                found += talk(address, question)
                regular.sendall(question)
                found.append(regular.recv(100))
        return found

    found = while_serving(settings(tmp_path, max_connections=20), services(), ask)
    assert found == [answer] * 3


def test_clients_over_tcp_take_no_places_of_unix_sockets(tmp_path: Path) -> None:
    """Each kind has its own: TCP is full of clients that ask, the unix socket is free."""

    def ask(servers: Any) -> list[bytes]:
        unix, inet = servers.addresses["socketmap"]
        place = parse(inet)
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                line = stack.enter_context(socket.create_connection((place.host, place.port), 10))
                line.sendall(b"4:mx x,")
                assert line.recv(100) == b"4:OK x,"
            with socket.create_connection((place.host, place.port), 10) as late:
                assert late.recv(100) == b"", "all who are there have asked just now"
            return talk(unix, b"4:mx x,")

    found = while_serving(settings(tmp_path, max_connections=3), services(), ask)
    assert found == [b"4:OK x,"]


def test_one_local_process_has_its_share_of_a_unix_socket(tmp_path: Path) -> None:
    """The kernel tells which process a connection is of."""

    def ask(servers: Any) -> None:
        path = servers.addresses["socketmap"][0].removeprefix("unix:")
        with contextlib.ExitStack() as stack:
            for number in range(3):
                line = stack.enter_context(socket.socket(socket.AF_UNIX))
                line.settimeout(10)
                line.connect(path)
                with contextlib.suppress(OSError):
                    line.sendall(b"4:mx x,")
                    assert line.recv(100) == (b"4:OK x," if number < 2 else b"")

    while_serving(settings(tmp_path, max_per_peer=2), services(), ask)


def test_descriptors_are_divided_so_that_hooks_have_most() -> None:
    """All that is configured where it is allowed; else pages get the small part."""
    assert share(need(4096, 64, 2), 4096, 64, 2) == Shares(4096, 64, 16)
    assert share(1024, 4096, 64, 2) == Shares(344, 64, 16)
    assert share(64, 4096, 64, 2) == Shares(9, 2, 1)
    assert share(8, 4096, 64, 4) == Shares(1, 1, 1)


@given(st.integers(1, 100_000), st.integers(1, 5000), st.integers(1, 500), st.integers(0, 4))
def test_parts_are_never_more_than_the_whole(files: int, hook: int, http: int, kinds: int) -> None:
    """What is handed out leaves descriptors for the daemon itself."""
    parts = share(files, hook, http, kinds)
    assert parts.hook <= hook
    assert parts.http <= http
    if files >= 32:
        assert kinds * parts.hook + parts.http + parts.control <= files - min(256, 2 * files // 3)
