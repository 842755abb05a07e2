"""The configuration: what is read, and what is said of each mistake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import pytest

from policyd.cli.manual import sample, tables
from policyd.config import Config, load
from policyd.errors import ConfigError, MxheedError
from policyd.settings import units
from policyd.settings.bind import bind
from policyd.settings.units import Duration
from rules.source import Problem, parse

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Inner:
    """A part."""

    wait: Duration = field(default=60.0, metadata={"doc": "A wait.", "min": 1, "max": 3600})
    names: tuple[str, ...] = field(default=(), metadata={"doc": "Names."})

    def __post_init__(self) -> None:
        if "root" in self.names:
            raise ValueError("root is never a name here")


@dataclass(frozen=True)
class Outer:
    """A whole."""

    inner: Inner = field(default=Inner(), metadata={"doc": "A part."})
    kind: Literal["soft", "hard"] = field(default="soft", metadata={"doc": "A kind."})
    on: bool = field(default=False, metadata={"doc": "A switch."})
    count: int = field(default=3, metadata={"doc": "A count.", "min": 0})
    share: float | None = field(default=None, metadata={"doc": "A share."})
    parts: Mapping[str, Inner] = field(
        default_factory=lambda: MappingProxyType({}), metadata={"doc": "Parts by name."}
    )


def read(text: str) -> tuple[Outer, list[str]]:
    problems: list[Problem] = []
    value = bind(Outer, parse(text, "x.yaml", problems), problems)
    return value, [str(problem) for problem in sorted(problems)]


def test_every_kind_of_value_is_read() -> None:
    """A setting of each type comes out as its Python value."""
    value, problems = read(
        "inner: {wait: 1m30s, names: [a, b]}\nkind: hard\non: true\ncount: 7\nshare: 1\n"
        "parts: {big: {wait: 00:05:00}, small: {names: one}}\n"
    )
    assert problems == []
    assert value == Outer(
        Inner(90.0, ("a", "b")),
        "hard",
        True,
        7,
        1.0,
        {"big": Inner(300.0), "small": Inner(names=("one",))},
    )


def test_an_empty_section_means_its_defaults() -> None:
    """A key with nothing behind it changes nothing."""
    assert read("inner:\n") == (Outer(), [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kindd: hard\n", "x.yaml:1:1: unknown key 'kindd'; did you mean 'kind'?"),
        ("kind: firm\n", "x.yaml:1:7: 'firm' is not allowed; allowed: soft, hard"),
        ("on: maybe\n", "x.yaml:1:5: 'maybe' is not true or false"),
        ("count: many\n", "x.yaml:1:8: 'many' is not a whole number"),
        ("count: -1\n", "x.yaml:1:8: -1 is out of range: at least 0"),
        ("inner:\n  wait: soon\n", "x.yaml:2:9: 'soon' is not a duration such as 30s"),
        ("inner:\n  wait: 2h\n", "x.yaml:2:9: 2h is out of range: 1 to 3600"),
        ("inner: 5\n", "x.yaml:1:8: expected a mapping with the keys wait, names"),
        ("count: [1]\n", "x.yaml:1:8: expected a whole number, found a list"),
        ("inner: {names: [root]}\n", "x.yaml:1:8: root is never a name here"),
        ("on: true\non: false\n", "x.yaml:2:1: key 'on' is repeated"),
    ],
)
def test_each_mistake_is_named_with_its_place(text: str, said: str) -> None:
    """A mistake is told as file:line:column with what is allowed, and the default stays."""
    value, problems = read(text)
    assert len(problems) == 1
    assert problems[0].startswith(said)
    assert value == Outer() or text.startswith("on: true")


def test_all_mistakes_are_told_at_once() -> None:
    """Three mistakes in one file are three lines."""
    _, problems = read("count: x\nkind: y\ninner: {wait: z}\n")
    assert [line.split(" ")[0] for line in problems] == [
        "x.yaml:1:8:",
        "x.yaml:2:7:",
        "x.yaml:3:15:",
    ]


def test_a_bad_file_is_refused_as_a_whole(tmp_path: Path) -> None:
    """`load` raises with every mistake, those of the site rules included."""
    site = tmp_path / "site.yaml"
    site.write_text("mxheed: 1\npack: site\nrulez: []\n")
    file = tmp_path / "mxheed.yaml"
    file.write_text("rules: {site: [site.yaml]}\nserve: {submission: {suspended: sendmail}}\n")
    with pytest.raises(ConfigError) as told:
        load(file)
    text = str(told.value)
    assert f"{file}:2:33: 'sendmail' is not allowed" in text
    assert f"{site}:3:1:" in text


def test_a_missing_file_is_told_in_words(tmp_path: Path) -> None:
    """A configuration that cannot be read is an error that names it."""
    with pytest.raises(MxheedError, match=r"cannot read the configuration .*none\.yaml"):
        load(tmp_path / "none.yaml")


def test_a_file_too_long_to_be_written_by_people_is_refused(tmp_path: Path) -> None:
    """A log in the place of a configuration, or of site rules, is told at once."""
    path, site = tmp_path / "mail.log", tmp_path / "site.yaml"
    path.write_bytes(b"a: b\n" * 300_000)
    with pytest.raises(MxheedError, match=r"mail\.log: it has more than 1 MB"):
        load(path)
    site.write_bytes(path.read_bytes())
    path.write_text(f"rules:\n  site: [{site}]\n")
    with pytest.raises(ConfigError, match=r"site\.yaml:1:1: cannot be read: it has more than 1 MB"):
        load(path)


def test_bytes_that_are_no_text_are_told_with_their_place(tmp_path: Path) -> None:
    """The first wrong byte is named."""
    path = tmp_path / "mxheed.yaml"
    path.write_bytes(b"log:\n  path: \xff\n")
    with pytest.raises(MxheedError, match=r"it is not UTF-8 \(byte 14\)"):
        load(path)


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "  # log:\n#   path: x"])
def test_a_file_that_says_nothing_gives_the_defaults(text: str, tmp_path: Path) -> None:
    """Also one in which everything is commented out."""
    path = tmp_path / "mxheed.yaml"
    path.write_text(text)
    assert load(path) == Config()


def test_the_commented_sample_is_the_default(tmp_path: Path) -> None:
    """What `mxheed check --defaults` prints loads, and means exactly the embedded defaults."""
    file = tmp_path / "mxheed.yaml"
    file.write_text(sample())
    assert load(file) == Config()


def test_the_reference_is_current() -> None:
    """docs/configuration.md is what the program prints (`python -m policyd.cli.manual`)."""
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == tables()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("250ms", 0.25), ("1h30m", 5400), ("2d", 172800), ("00:05:00", 300)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    """Units, sums of units and clock form all mean seconds."""
    assert units.duration(text) == seconds


@pytest.mark.parametrize("seconds", [0, 0.25, 1, 59, 60, 3661, 86400 * 3 + 60])
def test_spelling_a_duration_can_be_read_back(seconds: float) -> None:
    """`spell` writes what `duration` reads."""
    assert units.duration(units.spell(seconds)) == seconds
