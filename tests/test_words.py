"""One word for one thing: what users read is held to docs/glossary.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from policyd.metrics.table import STATES, TABLE
from policyd.report.words import OUTCOMES
from policyd.web.status import MODES
from tests.policyd.dashboards import panels

ROOT = Path(__file__).parents[1]
GLOSSARY = (ROOT / "docs/glossary.md").read_text()
TERMS = {
    word
    for head in re.findall(r"^\| (\*\*.+?\*\*) \|", GLOSSARY, re.MULTILINE)
    for word in head.replace("*", "").split(", ")
}

# words that were in use for a thing that has a word, and that word
INSTEAD = {
    r"\b(?:put(?:s|ting)?)(?: (?:it|them|mail|the \w+))? off\b": "deferred",
    r"\bpostponed\b": "deferred",
    r"\bturned (?:away|down)\b": "refused",
    r"\bhard bounces?\b": "rejected",
    r"\bsoft bounces?\b": "deferred",
    r"\bnot understood\b": "unclassified",
    r"\bbacked off\b": "slowed",
    r"\bdry[- ]run\b": "shadow",
}


def texts() -> Iterator[tuple[str, str]]:
    """What users read: documents, templates, help texts, what dashboards, alerts, commands say."""
    for pattern in ("README.md", "docs/*.md", "contrib/**/*.md", "contrib/prometheus/*.rules.yml",
                    "policyd/web/page.html", "policyd/report/page.html", "policyd/report/text.py",
                    "policyd/report/words.py", "policyd/cli/*.py",
                    "policyd/throttle/explain.py"):  # fmt: skip
        for path in sorted(ROOT.glob(pattern)):
            if path.name != "glossary.md":
                yield str(path.relative_to(ROOT)), path.read_text()
    yield from ((family.name, family.help) for family in TABLE)
    for name, panel in panels():
        legends = [target["legendFormat"] for target in panel["targets"]]
        yield name, " ".join([panel["title"], panel["description"], *legends])


ALL = dict(texts())


@pytest.mark.parametrize("name", ALL)
def test_nothing_has_two_words(name: str) -> None:
    """A word that was given up for another one is not used where users read."""
    for given_up, word in INSTEAD.items():
        found = re.search(given_up, ALL[name], re.IGNORECASE)
        assert found is None, f"{found and found[0]!r} in {name}: say {word!r}"


@pytest.mark.parametrize(
    "word", sorted({*INSTEAD.values(), *STATES, *MODES} - {"on", "safe"}), ids=str
)
def test_what_is_said_instead_is_in_the_glossary(word: str) -> None:
    """States, modes and outcomes have their entries."""
    assert word in TERMS


def test_page_and_report_name_outcomes_alike() -> None:
    """Accepted, deferred, rejected: on both, and as in the glossary."""
    live, report = ALL["policyd/web/page.html"], ALL["policyd/report/page.html"]
    for outcome in ("sent", "deferred", "bounced"):
        word = OUTCOMES[outcome]
        assert word in TERMS
        assert f"('{outcome}', '{word}')" in live
        assert f'<span class="key {outcome}">{word}</span>' in live
        assert f'<i style="background:var(--{outcome})"></i>{word}' in report


def test_the_tables_heads_are_terms() -> None:
    """Each column of the live page's table is called by a word of the glossary."""
    heads = re.findall(r'<th scope="col"(?: class="n")?>([^<]+)</th>', ALL["policyd/web/page.html"])
    assert len(heads) >= 6
    plain = {"what they say"}
    assert {head.removesuffix("s") for head in heads} - plain <= TERMS
