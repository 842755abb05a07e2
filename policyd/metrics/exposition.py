"""Turns plain numbers into Prometheus's text format, fast enough to be asked every second.

Contract: a `Source` reads its numbers anew at each scrape; the text before a number (name and label
pairs, escaped) is built once per series and kept while the series lives. Also a prometheus-client
collector over the same sources, for registries. Failure: ValueError for a name that is not in the
table, that has a source already, or whose labels do not fit it; label values may be any text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Literal, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from policyd.counting.histogram import Histogram
from policyd.serve.turns import Steps, finish

__all__ = [
    "CONTENT_TYPE",
    "Exposition",
    "Family",
    "Histogram",
    "Kind",
    "Labels",
    "Source",
    "Stream",
]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[str, ...]


Source = Callable[[], Mapping[Labels, float | Histogram]]
Samples = Iterable[tuple[Labels, float | Histogram]]
Stream = Callable[[], Samples]
_STEP = 50  # samples
_PIECE = 1000  # lines


class Family(NamedTuple):
    """A metric as documented: its name, kind, help text and label names."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()  # histograms only, ascending, without +Inf


class Exposition:
    """The page at /metrics: the families of a table, each with the source of its numbers."""

    def __init__(self, table: Iterable[Family]) -> None:
        self._table = {family.name: family for family in table}
        self._sources: dict[str, Stream] = {}
        self._prefixes: dict[str, dict[Labels, list[str]]] = {}

    def add(self, name: str, source: Source) -> None:
        """Lets `source` tell the numbers of the family `name` from now on."""
        self.stream(name, lambda: source().items())

    def stream(self, name: str, source: Stream) -> None:
        """The same with a source that tells them one by one, for reading many is work, too."""
        if name not in self._table:
            known = ", ".join(sorted(self._table))
            raise ValueError(f"no metric {name!r} in the table; there are: {known}")
        if name in self._sources:
            raise ValueError(f"metric {name!r} has a source already")
        self._sources[name] = source
        self._prefixes[name] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """The families of the table that nobody tells yet."""
        return tuple(name for name in self._table if name not in self._sources)

    def render(self) -> bytes:
        """The page in the text format, families in the order of the table."""
        return b"".join(finish(self.steps()))

    def steps(self) -> Steps[list[bytes]]:
        """The same a little at a time and in pieces, for it may be tens of megabytes.

        Numbers are those of the moment in which they are read.
        """
        done: list[bytes] = []
        for name, family in self._table.items():
            source = self._sources.get(name)
            if source is not None:
                yield from self._render(family, source(), done)
        return done

    def collect(self) -> Iterator[Metric]:
        """The same numbers as prometheus-client families: registry.register(exposition)."""
        for name, source in self._sources.items():
            yield _collect(self._table[name], source())

    def _render(self, family: Family, samples: Samples, done: list[bytes]) -> Steps[None]:
        name, known, count = family.name, self._prefixes[family.name], 0
        parts = [f"# HELP {name} {_help(family.help)}\n# TYPE {name} {family.kind}\n"]
        for count, (labels, value) in enumerate(samples, 1):
            if not count % _STEP:
                if len(parts) > _PIECE:
                    done.append(_bytes(parts))
                    parts.clear()
                yield
            prefixes = known.get(labels)
            if prefixes is None:
                prefixes = known[labels] = _prefixes(family, labels)
            if isinstance(value, Histogram):
                running = 0
                for prefix, running in zip(prefixes, accumulate(value.counts), strict=False):
                    parts.append(f"{prefix}{running}\n")
                parts.append(f"{prefixes[-2]}{value.total!r}\n{prefixes[-1]}{running}\n")
            else:
                # a bool is an int, but not in this format, and one such line loses the whole page
                parts.append(f"{prefixes[0]}{+value!r}\n")
        if len(known) > 2 * count + 64:  # series that ended: forget their texts
            known.clear()
        done.append(_bytes(parts))
        yield


def _prefixes(family: Family, labels: Labels) -> list[str]:
    if len(labels) != len(family.labels):
        raise ValueError(f"metric {family.name!r} has labels {family.labels}, not {labels}")
    pairs = [
        f'{name}="{_escape(value)}"' for name, value in zip(family.labels, labels, strict=True)
    ]
    if family.kind != "histogram":
        return [f"{family.name}{_braces(pairs)} "]
    bounds = [*map(str, map(float, family.bounds)), "+Inf"]
    buckets = [f"{family.name}_bucket{_braces([*pairs, f'le={_quote(le)}'])} " for le in bounds]
    return [
        *buckets,
        f"{family.name}_sum{_braces(pairs)} ",
        f"{family.name}_count{_braces(pairs)} ",
    ]


def _bytes(parts: list[str]) -> bytes:
    return "".join(parts).encode("utf-8", "backslashreplace")


def _collect(family: Family, samples: Samples) -> Metric:
    names = list(family.labels)
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=names)
        bounds = [*map(str, map(float, family.bounds)), "+Inf"]
        for labels, value in samples:
            assert isinstance(value, Histogram)
            buckets = list(zip(bounds, accumulate(value.counts), strict=True))
            histogram.add_metric(list(labels), [*buckets], value.total)
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=names)
    for labels, value in samples:
        assert not isinstance(value, Histogram)
        metric.add_metric(list(labels), float(value))
    return metric


def _braces(pairs: list[str]) -> str:
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _quote(text: str) -> str:
    return f'"{text}"'


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
