"""Every setting has its range; within it nothing breaks, and outside it is told with its place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import Field, is_dataclass
from math import inf, isfinite, nan
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.config import Config, load
from policyd.core import Core, Prepared, prepare
from policyd.errors import ConfigError
from policyd.postfix.hand import Ran
from policyd.postfix.release import Releaser
from policyd.serve.policy import Request
from policyd.serve.session import Session
from policyd.settings.bind import LONGEST, default, limits, schema
from policyd.throttle.evidence import Lane
from tests.policyd.clocks import Times
from tests.policyd.test_daemon import LIMITED, SENT, lines


class Setting(NamedTuple):
    """One key, wherever it is."""

    path: tuple[str, ...]  # "*" for a name of one's choice
    kind: Any  # int, float, "duration", str
    entry: Field[Any]
    many: bool


def settings(cls: Any, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """All settings that hold a number or a text, also those below names."""
    for name, (entry, kind) in schema(cls).items():
        yield from below((*path, name), kind, entry, False)


def below(path: tuple[str, ...], kind: Any, entry: Field[Any], many: bool) -> Iterator[Setting]:
    args = get_args(kind)
    if is_dataclass(kind):
        yield from settings(kind, path)
    elif get_origin(kind) is Annotated:
        yield Setting(path, args[1], entry, many)
    elif get_origin(kind) is tuple:
        yield from below(path, args[0], entry, True)
    elif get_origin(kind) is not None and get_origin(kind) is not Literal:
        yield from below((*path, "*"), args[1], entry, many)
    elif kind in (int, float, str):
        yield Setting(path, kind, entry, many)


# the files of `rules.site` are read by the rules' own tests
ALL = [one for one in settings(Config) if one.path != ("rules", "site")]
NUMBERS = [one for one in ALL if one.kind is not str]


def named(one: Setting) -> str:
    return ".".join(one.path)


@pytest.mark.parametrize("one", NUMBERS, ids=named)
def test_every_number_has_a_least_and_a_largest_value(one: Setting) -> None:
    """Written beside its meaning, and the default lies between them."""
    low, high = limits(one.entry)
    assert isfinite(low)
    assert isfinite(high)
    value = default(one.entry)
    if isinstance(value, int | float):
        assert low <= value <= high


def spelt(one: Setting, value: Any) -> str:
    """The value as YAML."""
    if isinstance(value, float) and not isfinite(value):
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"
    if one.kind == "duration":
        return json.dumps(f"{value:.9f}s")
    if one.kind is int and isinstance(value, float) and value == int(value):
        value = int(value)
    return json.dumps(value)


def _name(one: Setting, at: int) -> str:
    """A name that is known there; `retry` has two: a receiver, and a category of it."""
    category = "reactions" in one.path or one.path[at - 1] == "*"
    return "flow.rate" if category else "google"


def written(chosen: dict[Setting, Any]) -> str:
    """A configuration with these values, as a file."""
    tree: dict[str, Any] = {}
    for one, value in chosen.items():
        node, path = (
            tree,
            [_name(one, at) if part == "*" else part for at, part in enumerate(one.path)],
        )
        for part in path[:-1]:
            node = node.setdefault(part, {})
        text = spelt(one, value)
        node[path[-1]] = f"[{text}]" if one.many else text
    return flow(tree)


def flow(node: Any) -> str:
    if isinstance(node, str):
        return node
    return "{" + ", ".join(f"{key}: {flow(value)}" for key, value in node.items()) + "}"


def values(one: Setting) -> st.SearchStrategy[Any]:
    """Any in its range, its ends, both sides of them, and what nobody would write."""
    if one.kind is str:
        return st.sampled_from(["", "\0", "a\nb", "x" * (LONGEST + 1), "é", "/", "~", "\x7f"])
    low, high = limits(one.entry)
    step = 1 if one.kind is int else 0.001
    ends = [low, high, low - step, high + step, low + step, high - step]
    inside = st.integers(int(low), int(high)) if one.kind is int else st.floats(low, high)
    return inside | st.sampled_from([*ends, 0, -1, 1e308, -1e308, nan, inf, -inf, 10**30])


@st.composite
def choices(draw: st.DrawFn) -> dict[Setting, Any]:
    """Some settings at once."""
    chosen = draw(st.lists(st.sampled_from(ALL), min_size=1, max_size=4, unique_by=named))
    return {one: draw(values(one)) for one in chosen}


class Desk:
    """A core that has seen mail and trouble, and takes any configuration over."""

    def __init__(self) -> None:
        self.times = Times()
        self.ready = prepare(Config(), None)
        self.core = Core(Config(), clock=self.times.clock())

    async def work(self, config: Config) -> None:
        """Everything a daemon does in a minute."""
        core = self.core
        core.reload(Prepared(config, self.ready.ruleset, self.ready.classifier))
        core.controller.retired = False
        hand = Releaser(
            core.controller, config.release, core.clock, receiver_of=lambda _: "google", run=ran
        )
        for _ in range(4):
            core.process((lines(SENT, 2) + lines(LIMITED, 3, 3)).encode(), self.times.wall)
            for host in (b"gmail-smtp-in.l.google.com.", b"mx.example.net."):
                core.maps["mx"](b"d1.example. 60 IN MX 10 " + host, Session(), "")
            core.maps["status"](b"5.7.1 host mx.google.com[192.0.2.1] said: 550 5.7.1 too fast",
                                Session(), "")  # fmt: skip
            core.maps["transport"](b"a@gmail.com", Session(), "")
            core.policy(Request(b"protocol_state=RCPT\nrecipient=a@gmail.com\n"), Session())
            core.controller.set_rate("google", 5.0, core.clock())
            core.controller.admit(Lane("", "new"), "d.test", core.clock())
            hand.step()
            await asyncio.sleep(0)
            core.controller.tick(core.clock())
            core.controller.lanes(core.clock())
            assert core.controller.next_event(core.clock()) >= 0
            self.times.go(17.0)
        await core.lookup.close()


async def ran(command: tuple[str, ...], timeout: float) -> Ran:
    return Ran(0, b"")


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


def checked(file: Path) -> tuple[Config | None, list[str]]:
    """What `mxheed check` makes of a file."""
    try:
        return load(file), []
    except ConfigError as refused:
        return None, str(refused).splitlines()


@given(choices())
def test_what_the_check_accepts_never_breaks_an_answer(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory, chosen: dict[Setting, Any]
) -> None:
    """Any values of any settings: each is refused with its place, or all goes on working."""
    file = tmp_path_factory.getbasetemp() / "ranges.yaml"
    file.write_text(written(chosen))
    config, told = checked(file)
    assert all(line.startswith(f"{file}:1:") for line in told)
    if config is None:
        return
    for one, value in chosen.items():
        if one.kind is not str:
            low, high = limits(one.entry)
            assert low <= value <= high
    asyncio.run(desk.work(config))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pacing: {window: {initial: 0}}", "1:28: 0 is out of range: 1 to 100000"),
        (
            "pacing: {receivers: {google: {attempts: -1}}}",
            "1:41: -1 is out of range: 0 to 100000",
        ),
        ("pacing: {jitter: .nan}", "1:18: '.nan' is not a number"),
        ('state: {file: "a\\0b"}', r"1:15: 'a\x00b' holds control characters"),
        ('serve: {transports: {"a\\nb": x}}', r"1:22: 'a\nb' holds control characters"),
        ("pacing: {window: {initial: 10, largest: 5}}", "initial cannot be above largest"),
        ("pacing: {receivers: {google: {rate: 1.0e-9}}}", "at least one message a day"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    """What divided by zero, admitted nobody, or ended in a traceback is a mistake in the file."""
    file = tmp_path / "mxheed.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(file)
    assert said in str(refused.value)
