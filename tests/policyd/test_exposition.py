"""The text at /metrics: right numbers, safe labels, no series kept after its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from policyd.metrics.exposition import Exposition, Family, Histogram, Labels
from policyd.metrics.table import TABLE, Metrics

COUNTER = Family("mail_total", "counter", "Mail.", ("receiver", "outcome"))
GAUGE = Family("mail_limit", "gauge", "A limit.\nSecond line \\ slash.")
HISTOGRAM = Family("mail_seconds", "histogram", "Time.", ("receiver",), (0.5, 1.0, 60.0))
LABEL = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def parsed(text: bytes) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    """Every sample of an exposition as (name, labels, value)."""
    return {
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def exposition() -> Exposition:
    """One family of each kind with numbers."""
    page = Exposition([COUNTER, GAUGE, HISTOGRAM])
    page.add("mail_total", lambda: {("google", "sent"): 12, ("gmx", "bounced"): 3})
    page.add("mail_limit", lambda: {(): 2.5})
    page.add("mail_seconds", lambda: {("google",): Histogram([4, 0, 5, 1], 99.25)})
    return page


def test_the_page_is_written_as_documented() -> None:
    """The text is exactly what the format prescribes."""
    assert exposition().render().decode() == (
        "# HELP mail_total Mail.\n# TYPE mail_total counter\n"
        'mail_total{receiver="google",outcome="sent"} 12\n'
        'mail_total{receiver="gmx",outcome="bounced"} 3\n'
        "# HELP mail_limit A limit.\\nSecond line \\\\ slash.\n# TYPE mail_limit gauge\n"
        "mail_limit 2.5\n"
        "# HELP mail_seconds Time.\n# TYPE mail_seconds histogram\n"
        'mail_seconds_bucket{receiver="google",le="0.5"} 4\n'
        'mail_seconds_bucket{receiver="google",le="1.0"} 4\n'
        'mail_seconds_bucket{receiver="google",le="60.0"} 9\n'
        'mail_seconds_bucket{receiver="google",le="+Inf"} 10\n'
        'mail_seconds_sum{receiver="google"} 99.25\n'
        'mail_seconds_count{receiver="google"} 10\n'
    )


def test_both_ways_out_tell_the_same() -> None:
    """The own text and prometheus-client's text of the same sources hold the same samples."""
    page, registry = exposition(), CollectorRegistry()
    registry.register(page)
    assert parsed(page.render()) == parsed(generate_latest(registry))


@given(LABEL, LABEL)
def test_any_text_is_a_safe_label(receiver: str, outcome: str) -> None:
    """A label value never changes anything but itself."""
    page = Exposition([COUNTER])
    page.add("mail_total", lambda: {(receiver, outcome): 7})
    labels = (("outcome", outcome), ("receiver", receiver))
    assert parsed(page.render()) == {("mail_total", labels, 7.0)}


def test_yes_and_no_are_numbers() -> None:
    """A source that tells True does not make the page unreadable."""
    page = Exposition([GAUGE])
    page.add("mail_limit", lambda: {(): True})
    assert parsed(page.render()) == {("mail_limit", (), 1.0)}


def test_a_lone_surrogate_does_not_stop_the_page() -> None:
    """A label that cannot be encoded is written escaped."""
    page = Exposition([COUNTER])
    page.add("mail_total", lambda: {("\udcff", "sent"): 1})
    assert b"mail_total{receiver=" in page.render()


def test_each_scrape_reads_anew() -> None:
    """A number that changed is seen by the next scrape, a series that ended is gone."""
    numbers: dict[Labels, float] = {("a", "sent"): 1}
    page = Exposition([COUNTER])
    page.add("mail_total", lambda: numbers)
    assert b"} 1\n" in page.render()
    numbers.clear()
    numbers["b", "sent"] = 5
    text = page.render()
    assert b'receiver="b"' in text
    assert b'receiver="a"' not in text


def test_ended_series_are_forgotten() -> None:
    """Labels that come and go do not fill the memory."""
    numbers: dict[Labels, float] = {}
    page = Exposition([COUNTER])
    page.add("mail_total", lambda: numbers)
    for number in range(1000):
        numbers.clear()
        numbers[str(number), "sent"] = 1
        page.render()
    assert len(page._prefixes["mail_total"]) < 100


@pytest.mark.parametrize(
    ("name", "message"),
    [("mail_totl", "no metric 'mail_totl'"), ("mail_total", "has a source already")],
)
def test_a_wrong_name_is_refused(name: str, message: str) -> None:
    """A source needs a name of the table, and each name has one source."""
    with pytest.raises(ValueError, match=message):
        exposition().add(name, dict)


def test_labels_that_do_not_fit_are_refused() -> None:
    """A series with too few labels is a mistake, not a broken page."""
    page = Exposition([COUNTER])
    page.add("mail_total", lambda: {("google",): 1})
    with pytest.raises(ValueError, match="has labels"):
        page.render()


def test_the_table_follows_the_naming_rules() -> None:
    """Names are unique, begin with mxheed_, and only counters end in _total."""
    names = [family.name for family in TABLE]
    assert len(names) == len(set(names))
    for family in TABLE:
        assert family.name.startswith("mxheed_")
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert bool(family.bounds) == (family.kind == "histogram")
        assert family.help.endswith(".")
        assert list(family.bounds) == sorted(family.bounds)


def test_the_page_tells_of_the_process_too() -> None:
    """Memory and open files of the daemon are on the page."""
    page = Metrics()
    page.add("mxheed_build_info", lambda: {("0.1.0",): 1})
    names = {name for name, _, _ in parsed(page.render())}
    assert {"mxheed_build_info", "process_resident_memory_bytes", "process_open_fds"} <= names
    assert "mxheed_deliveries_total" in page.missing
