"""Runs the conformance vectors of the language: texts in, values or diagnostics out.

Contract: `run` executes every vector under `conformance/` (format: conformance/README.md) and
returns how many there are and one `Problem` per expectation that is not met, at the vector's
place.
Failure: an unreadable vector is a `Problem` too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules.assembly import File, build
from rules.check import check
from rules.classifier import Classifier
from rules.errors import Problem
from rules.hints import spoken
from rules.model import RuleSet
from rules.reply import read
from rules.source import Mapping, Node, Scalar, Sequence, parse

__all__ = ["VECTORS", "plain", "run"]

VECTORS = Path(__file__).parent / "conformance"
RECEIVERS = """
mxheed: 1
receivers:
  - {id: alpha, mx: {exact: [mx.alpha.example], suffix: [alpha-mail.example]}}
  - {id: beta, mx: {suffix: [beta.example]}, domains: [beta.example]}
  - {id: gamma}
"""


def run(folder: Path = VECTORS) -> tuple[int, list[Problem]]:
    """Execute all vectors: their number, and what does not hold."""
    count = 0
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        tree = parse(path.read_text(encoding="utf-8"), str(path), problems)
        for vector in tree.items if isinstance(tree, Sequence) else ():
            count += 1
            problems += [vector.place.problem(words) for words in _vector(plain(vector))]
    return count, problems


def plain(node: Node) -> Any:
    """A node as ordinary values."""
    if isinstance(node, Mapping):
        return {key.text: plain(value) for key, value in node.entries}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.value


def _vector(vector: dict[str, Any]) -> Iterator[str]:
    name = vector.get("name", "?")
    if "read" in vector:
        found = read(vector["read"])
        values = {name: getattr(found, name, None) for name in vector["reply"]}
        values["others"] = [[other.code, other.said] for other in found.others]
        yield from _differences(name, values, vector["reply"])
    elif "hint" in vector:
        hint = spoken(read(vector["hint"]).wide, vector.get("now"))
        yield from _differences(name, {"hint": hint and hint._asdict()}, {"hint": vector["wait"]})
    elif "rules" in vector:
        yield from _rules(name, vector)
    else:
        yield f"{name}: neither 'read' nor 'hint' nor 'rules'"


def _rules(name: str, vector: dict[str, Any]) -> Iterator[str]:
    files = [File("rules", vector["rules"])]
    if "more" in vector:
        files.append(File("more", vector["more"]))
    if "site" in vector:
        files.append(File("site", vector["site"], site=True))
    ruleset, problems = build(files, File("receivers", vector.get("receivers", RECEIVERS)))
    every = sorted({*problems, *check(ruleset)})
    found = list(dict.fromkeys(f"{p.file}:{p.line}:{p.column}" for p in every))
    wanted = vector.get("errors", [])
    if found != wanted:
        yield f"{name}: errors are {found}, expected {wanted}"
    for case in vector.get("replies", ()):
        yield from _reply(name, ruleset, case)


def _reply(name: str, ruleset: RuleSet, case: dict[str, Any]) -> Iterator[str]:
    origin = case.get("origin")
    verdict = Classifier(ruleset).classify(
        case["reply"],
        mx=case.get("mx"),
        receiver=case.get("receiver"),
        stage=case.get("stage"),
        origin=origin,
    )
    values = {field: getattr(verdict, field) for field in verdict._fields}
    values["flags"] = list(verdict.flags)
    values["captures"] = dict(verdict.captures)
    yield from _differences(f"{name}: {case['reply']!r}", values, case["verdict"])


def _differences(name: str, found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    for key, value in wanted.items():
        got = found.get(key)
        if isinstance(got, dict) and isinstance(value, dict) and key == "hint":
            yield from _differences(f"{name}: {key}", got, value)
        elif got != value:
            yield f"{name}: {key} is {got!r}, expected {value!r}"
