"""PromQL by the piece: what most panels ask, with the dashboard's choices in each selector.

Contract: pure text. A `Chosen` is a set of matchers that every selector of a dashboard begins with.
Label values: "a|b" is a pattern, "!a" everything but a. `top` keeps the number of lines bounded
over the whole range that is shown: the rank is taken once, at its end.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ATTEMPTS", "Chosen", "each", "share", "top"]

ATTEMPTS = "sent|deferred|bounced"  # the outcomes that are attempts of their own
_MANY = 30  # lines in a panel
_RATE, _RANGE = "[$__rate_interval]", "[$__range]"


@dataclass(frozen=True)
class Chosen:
    """The matchers that a dashboard's variables make."""

    matchers: tuple[str, ...]

    def now(self, metric: str, **labels: str) -> str:
        """The series themselves."""
        return f"{metric}{{{','.join([*self.matchers, *map(_match, labels.items())])}}}"

    def rate(self, metric: str, by: str = "", **labels: str) -> str:
        """So many a second."""
        return f"sum{_by(by)} (rate({self.now(metric, **labels)}{_RATE}))"

    def total(self, metric: str, by: str, **labels: str) -> str:
        """So many in the whole range, told for its end."""
        return f"sum by ({by}) (increase({self.now(metric, **labels)}{_RANGE} @ end()))"

    def most(self, metric: str, by: str, **labels: str) -> str:
        """The highest value in the whole range."""
        return f"max by ({by}) (max_over_time({self.now(metric, **labels)}{_RANGE} @ end()))"

    def sum(self, metric: str, by: str = "", **labels: str) -> str:
        """What it comes to together."""
        return f"sum{_by(by)} ({self.now(metric, **labels)})"

    def max(self, metric: str, by: str = "", **labels: str) -> str:
        """The highest."""
        return f"max{_by(by)} ({self.now(metric, **labels)})"

    def min(self, metric: str, by: str = "", **labels: str) -> str:
        """The lowest."""
        return f"min{_by(by)} ({self.now(metric, **labels)})"

    def age(self, stamp: str, by: str, **labels: str) -> str:
        """Seconds since a stamp; of several, the latest."""
        return f"topk({_MANY}, time() - {self.max(stamp, by, **labels)})"

    def quantile(self, quantile: float, metric: str, by: str, **labels: str) -> str:
        """Of a histogram."""
        buckets = self.rate(f"{metric}_bucket", f"{by}, le" if by else "le", **labels)
        return f"histogram_quantile({quantile:g}, {buckets})"


def share(part: str, whole: str) -> str:
    """One by the other."""
    return f"{part}\n  / {whole}"


def top(expression: str, rank: str, by: str = "receiver", most: int = 10) -> str:
    """Only the lines of those that rank highest."""
    return f"({expression})\n  and on ({by}) topk({most}, {rank})"


def each(expression: str) -> str:
    """One line for each machine, but never more than can be told apart."""
    return f"topk({_MANY}, {expression})"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


def _match(label: tuple[str, str]) -> str:
    name, value = label
    several = "|" in value
    if value.startswith("!"):
        return f'{name}{"!~" if several else "!="}"{value[1:]}"'
    return f'{name}{"=~" if several else "="}"{value}"'
