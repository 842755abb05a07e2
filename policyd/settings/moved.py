"""Settings that have moved: a file with the old key means what it meant, and hears of the new one.

Contract: `settle` returns the tree of a configuration with each old key in its new place, and one
hint for each, with the place in the file. What stands there keeps its own place, so that mistakes
in it are told where they are.
Failure: none; what has not the form of a setting stays as it is, for `bind` to refuse.
"""

from __future__ import annotations

from rules.source import Mapping, Node, Place, Problem, Scalar, Sequence

__all__ = ["settle"]

_NEW = ("serve", "submission", "closed")


def settle(tree: Node | None) -> tuple[Node | None, list[Problem]]:
    """`pacing.classes.NAME.closed` is an entry of `serve.submission.closed`."""
    hints: list[Problem] = []
    pacing = _at(tree, "pacing")
    classes = _at(pacing, "classes")
    if not isinstance(tree, Mapping) or pacing is None or not isinstance(classes, Mapping):
        return tree, hints
    kept, moved = [], []
    for name, entry in classes.entries:
        closed = _at(entry, "closed")
        if isinstance(entry, Mapping) and closed is not None:
            hints.append(_hint(entry, name.text, closed))
            moved += _entries(name, closed)
            entry = _with(entry, {"closed": None})
        kept.append((name, entry))
    if not hints:
        return tree, hints
    classes = Mapping(classes.place, tuple(kept))
    tree = _with(tree, {"pacing": _with(pacing, {"classes": classes})})
    return _added(tree, _NEW, moved), hints


def _entries(name: Scalar, closed: Node) -> list[tuple[Scalar, Node]]:
    """What the old key says in the words of the new one; nobody is shut out by an empty list."""
    items = closed.items if isinstance(closed, Sequence) else (closed,)
    if not items:
        return []
    place = closed.place
    words: dict[str, Node] = {
        "classes": name,
        "receivers": closed,
        "action": _text(place, "reject"),
        "text": _text(place, f"{{receiver}} takes no mail of class {_printable(name)} from here"),
    }
    if any(isinstance(item, Scalar) and item.text == "*" for item in items):
        del words["receivers"]  # no list: all of them
    entry = Mapping(place, tuple((_text(place, key), value) for key, value in words.items()))
    return [(_text(name.place, f"pacing.classes.{name.text}"), entry)]


def _hint(entry: Mapping, name: str, closed: Node) -> Problem:
    items = closed.items if isinstance(closed, Sequence) else (closed,)
    receivers = ", ".join(item.text for item in items if isinstance(item, Scalar))
    some = "" if "*" in receivers else f", receivers: [{receivers}]"
    key = next(key for key, _ in entry.entries if _name(key) == "closed")
    return key.place.problem(
        f"pacing.classes.{name}.closed works, but has moved: write "
        f"serve.submission.closed: {{{name}: {{classes: [{name}]{some}, action: reject}}}}"
    )


def _added(tree: Node, path: tuple[str, ...], entries: list[tuple[Scalar, Node]]) -> Node:
    """The tree with more entries in the mapping at `path`, which is made where there is none."""
    if not entries:
        return tree
    if isinstance(tree, Scalar) and tree.value is None:
        tree = Mapping(tree.place, ())
    if not isinstance(tree, Mapping):
        return tree
    if not path:
        return Mapping(tree.place, (*tree.entries, *entries))
    below = _at(tree, path[0]) or Mapping(tree.place, ())
    return _with(tree, {path[0]: _added(below, path[1:], entries)})


def _with(node: Node, values: dict[str, Node | None]) -> Node:
    """A mapping with other values for some keys; None takes a key away."""
    assert isinstance(node, Mapping)
    old = [(key, values.pop(_name(key), value)) for key, value in node.entries]
    new = [(_text(node.place, key), value) for key, value in values.items()]
    return Mapping(node.place, tuple((key, value) for key, value in old + new if value is not None))


def _at(node: Node | None, name: str) -> Node | None:
    if not isinstance(node, Mapping):
        return None
    return next((value for key, value in node.entries if _name(key) == name), None)


def _name(key: Scalar) -> str:
    return key.text.replace("-", "_")  # settings may be written with dashes


def _text(place: Place, text: str) -> Scalar:
    return Scalar(place, text, text)


def _printable(name: Scalar) -> str:
    return "".join(c for c in name.text if c.isascii() and (c.isalnum() or c in ":.-_"))[:80]
