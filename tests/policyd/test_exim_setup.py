"""The lines for Exim's configuration: as shipped, as documented, beside an operator's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policyd.doctor.exim import EximSeen, findings
from policyd.exim.config import EximConfig, cutoff
from policyd.exim.lines import SELECTORS, Wanted, gate
from policyd.exim.setup import commands, fragment, has_gate, own_list, wanted

ROOT = Path(__file__).resolve().parents[2]
SOCKET, ALIVE = "/run/mxheed/exim", "/run/mxheed/alive"
LINE = gate(Wanted(SOCKET, ALIVE))
VALUE = LINE.removeprefix("hold_domains = ").replace("\\\n", "").strip()
LOG = " ".join(f"+{name}" for name in SELECTORS)
PLAIN = EximConfig(
    "/usr/sbin/exim",
    (4, 96),
    {"hold_domains": VALUE, "log_selector": LOG},
    "/etc/exim.conf",
    "plain",
)


def test_the_documents_have_the_line_that_is_printed() -> None:
    """docs/exim.md and contrib/exim/gate.conf."""
    assert LINE in (ROOT / "docs" / "exim.md").read_text("utf-8")
    shipped = gate(Wanted("/run/mxheed/exim", ALIVE))
    assert shipped in (ROOT / "contrib" / "exim" / "gate.conf").read_text("utf-8")


@pytest.mark.parametrize("own", ["", "held.test", "held.test : +others", "lsearch;/etc/held"])
def test_an_operators_own_list_stays_in_front(own: str) -> None:
    """However often the lines are made anew."""
    config = PLAIN._replace(options={"hold_domains": own})
    for _ in range(3):
        asked = wanted(config, SOCKET, ALIVE)
        assert asked.own == own
        line = gate(asked).removeprefix("hold_domains = ").replace("\\\n", "").strip()
        assert line == (f"{own} : {VALUE}" if own else VALUE)
        config = config._replace(options={"hold_domains": line})
    assert has_gate(line)
    assert own_list(line) == own


def test_smarthost_pool_and_a_machine_without_local_domains() -> None:
    """The smarthost stands in place of the look-up."""
    config = PLAIN._replace(smarthosts=("a.test", "b.test"), local=False, options={})
    line = gate(wanted(config, SOCKET, ALIVE, "out"))
    assert "from=$sender_address_domain pool=out a.test,b.test\\n}" in line
    assert "dnsdb" not in line
    assert "match_domain{$domain}{@}" in line


def test_commands_can_be_run_again(tmp_path: Path) -> None:
    """What an earlier run added is replaced, what is the operator's stays."""
    import subprocess

    file = tmp_path / "localmacros"
    file.write_text("OWN = 1\n")
    piece = fragment(PLAIN._replace(layout="unsplit"), Wanted(SOCKET, ALIVE))
    script = commands(piece, "unsplit").replace(piece.file, str(file))
    for _ in range(2):
        subprocess.run(["sh", "-c", script], check=True)
        assert file.read_text() == f"OWN = 1\n{piece.text}"


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [
        ("Retry rule: *  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h; ", 345_600),
        ("Retry rule: *  quota  F,1d12h,1h; ", 129_600),
        ("No retry information found", 0),
    ],
)
def test_the_end_of_the_retry_rules(rule: str, seconds: int) -> None:
    """The last rule's time is when Exim gives a message up."""
    assert cutoff(rule) == seconds


SEEN = EximSeen(PLAIN, SOCKET, "*", "", 0.5, True, "", ("exim -bd -q30m",), True)
OFF = {"hold_domains": ""}


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({}, "fine", "asks mxheed, and holds what it says"),
        ({"config": PLAIN._replace(options=PLAIN.options | OFF)}, "wrong", "not ask mxheed"),
        ({"socket": "/elsewhere"}, "wrong", "does not ask at /elsewhere"),
        ({"expanded": None, "failed": "Failed: x"}, "wrong", "defers all outbound mail: Failed: x"),
        ({"expanded": ""}, "wrong", "holds nothing"),
        ({"expanded": None}, "unchecked", "was not tried"),
        ({"age": 9.0}, "wrong", "is 9 s old"),
        ({"age": None}, "wrong", "is missing"),
        ({"hand": "denied"}, "wrong", "cannot let mail held in Exim's queue go: denied"),
        ({"hand": None}, "unchecked", "can let Exim's mail go"),
        ({"runners": ("exim4 -bd -qq30m",)}, "wrong", "-qq30m"),
        ({"follows": False}, "wrong", "does not follow Exim's log"),
        ({"config": PLAIN._replace(options=PLAIN.options | {"queue_smtp_domains": "*"})}, "wrong",
         "queue_smtp_domains is *"),
        ({"config": PLAIN._replace(options=PLAIN.options | {"queue_only": "true"})}, "note",
         "queue_only is set"),
        ({"config": PLAIN._replace(options=PLAIN.options | {"log_selector": ""})}, "note",
         "log_selector lacks +millisec"),
        ({"config": PLAIN._replace(options=PLAIN.options | {"log_selector": "-retry_defer"})},
         "wrong", "-retry_defer"),
        ({"config": PLAIN._replace(cutoff=7200.0)}, "note", "after 2 h"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_exim_is_found(
    change: dict[str, object], level: str, words: str
) -> None:
    """Each mistake is told at its level, and nothing else is wrong."""
    found = list(findings(replace(SEEN, **change)))  # type: ignore[arg-type]
    told = [one for one in found if words in one.what]
    assert [one.level for one in told] == [level]
    assert all(one.todo for one in found if one.level != "fine")
    if level == "fine":
        assert {one.level for one in found} == {"fine"}
