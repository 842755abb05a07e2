"""Names in the configuration: receivers, categories and domains that exist, or a suggestion.

Contract: `name_problems` looks at the tree of a configuration file and yields one `Problem` for
each name that nothing will ever match: a category that is in no list (`flow.rte`), a receiver that
no table knows (`gogle`), a domain where a receiver is asked for (`gmail.com`), an address sign
before a domain (`@example.org`). A receiver with a dot that no table knows, `mx:…` and `ip:…`
are names of somebody's own hosts, as `mxheed receivers` shows them, and right. Pure.
Failure: none is raised; what has not the form of a setting is `policyd.settings.bind`'s to tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from policyd.receiver.rollup import UNKNOWN
from policyd.throttle.settings.pacing import DEFAULT_RETRY
from rules.receivers import ReceiverTable
from rules.source import Mapping, Node, Problem, Scalar, Sequence, nearest
from rules.taxonomy import CATEGORIES

__all__ = ["name_problems"]

Check = Callable[[Scalar], str | None]
_DOMAIN = re.compile(r"\.?[^\s@<>,;:/]+")
_LOCAL = "local"  # the receiver of what never left the machine
_UNLISTED = re.compile(r"mx:[^\s@<>,;:/]+|ip:[0-9a-f.:]+")  # receivers that no table knows
_SOCKETS = frozenset(name for name in DEFAULT_RETRY["any"] if name not in CATEGORIES)
_FAMILIES = frozenset(f"{name.partition('.')[0]}.*" for name in CATEGORIES if "." in name)


def name_problems(tree: Node | None, table: ReceiverTable) -> Iterator[Problem]:
    """Every name in a configuration that names nothing."""

    def receiver(item: Scalar) -> str | None:
        return _receiver(item.text, table)

    def or_any(item: Scalar) -> str | None:
        return None if item.text == "any" else receiver(item)

    pacing, serve = _at(tree, "pacing"), _at(tree, "serve")
    classes = [key.text for key in _keys(_at(pacing, "classes"))]

    def mail_class(item: Scalar) -> str | None:
        if item.text in classes:
            return None
        return f"no class {item.text!r} in pacing.classes{nearest(item.text, classes)}"

    yield from _told(_keys(_at(pacing, "receivers")), receiver)
    yield from _told(_keys(_at(pacing, "reactions")), _reaction)
    yield from _told(_keys(_at(pacing, "retry")), or_any)
    for table_of in _values(_at(pacing, "retry")):
        yield from _told(_keys(table_of), _waited)
    for one in _values(_at(pacing, "classes")):
        yield from _told([*_items(_at(one, "senders")), *_items(_at(one, "domains"))], _domain)
    yield from _told(_keys(_at(serve, "transports")), receiver)
    for one in _values(_at(_at(serve, "submission"), "closed")):
        yield from _told(_items(_at(one, "receivers")), receiver)
        yield from _told(_items(_at(one, "classes")), mail_class)
        yield from _told(_items(_at(one, "domains")), _domain)


def _told(items: list[Scalar], check: Check) -> Iterator[Problem]:
    for item in items:
        wrong = check(item)
        if wrong:
            yield item.place.problem(wrong)


def _receiver(name: str, table: ReceiverTable) -> str | None:
    if name in table.by_id or name in (UNKNOWN, _LOCAL):
        return None
    for found, what in ((table.of_domain(name), "domain"), (table.of_host(name), "host")):
        if found:
            return f"{name!r} is a {what} of the receiver {found!r}: write {found}"
    own = _UNLISTED.fullmatch(name) or ("." in name and _DOMAIN.fullmatch(name))
    if own and name == name.lower():
        return None
    return f"unknown receiver {name!r}{nearest(name, table.by_id)}; see `mxheed receivers`"


def _reaction(item: Scalar) -> str | None:
    if item.text in CATEGORIES or item.text in _FAMILIES:
        return None
    return f"unknown category {item.text!r}{nearest(item.text, [*CATEGORIES, *_FAMILIES])}"


def _waited(item: Scalar) -> str | None:
    if item.text in CATEGORIES or item.text in _SOCKETS:
        return None
    known = [*CATEGORIES, *_SOCKETS]
    return f"unknown category or socket error {item.text!r}{nearest(item.text, known)}"


def _domain(item: Scalar) -> str | None:
    if _DOMAIN.fullmatch(item.text):
        return None
    domain = item.text.rpartition("@")[2]
    hint = f": write {domain}" if domain and _DOMAIN.fullmatch(domain) else ""
    return f"{item.text!r} is no domain{hint}"


def _at(node: Node | None, key: str) -> Node | None:
    """A part of a mapping; settings may be written with dashes."""
    if not isinstance(node, Mapping):
        return None
    return next((value for name, value in node.entries if name.text.replace("-", "_") == key), None)


def _keys(node: Node | None) -> list[Scalar]:
    return [key for key, _ in node.entries] if isinstance(node, Mapping) else []


def _values(node: Node | None) -> list[Node]:
    return [value for _, value in node.entries] if isinstance(node, Mapping) else []


def _items(node: Node | None) -> list[Scalar]:
    nodes = node.items if isinstance(node, Sequence) else (node,)
    return [item for item in nodes if isinstance(item, Scalar) and item.value is not None]
