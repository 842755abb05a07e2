"""A draft rule from one reply: valid as it stands, made to be edited.

Contract: `draft` returns the text of a rule file with one rule whose example is the reply. Values
come from the verdict the reply has now and are marked where a person has to decide.
Failure: a reply without any usable word is a `RulesError`.
"""

from __future__ import annotations

import json
import re

from rules.classifier import Classifier
from rules.errors import RulesError
from rules.patterns import compile_pattern
from rules.reply import read
from rules.taxonomy import CATEGORIES, UNKNOWN
from rules.template import phrase

__all__ = ["draft"]

_SPECIAL = re.compile(r"([.+*?()|\[\]{}^$\\])")


def draft(
    classifier: Classifier, reply: str, *, mx: str | None, stage: str | None, seen: str
) -> str:
    """The text of a site file with a rule for this reply."""
    words = phrase(reply)
    if len(words) < 4:
        raise RulesError("this reply has no words that a pattern could look for")
    pattern = _SPECIAL.sub(r"\\\1", words)
    assert compile_pattern(pattern).search(read(reply).text)
    verdict = classifier.classify(reply, mx=mx, stage=stage, origin=None)
    guess = "policy.other" if verdict.category == UNKNOWN else verdict.category
    case = classifier.case(reply, mx=mx, stage=stage, origin=None)
    slug = "-".join(re.findall(r"[a-z0-9]+", words.lower())[:4]) or "reply"
    example = [f"reply: {json.dumps(reply, ensure_ascii=False)}"]
    example += [f"mx: {json.dumps(mx)}"] if mx else []
    example += [f"stage: {stage}"] if stage else []
    lines = [
        "mxheed: 1",
        "pack: site",
        "rules:",
        f"  - id: site.{slug}",
        f"    # one of: {', '.join(name for name in CATEGORIES if name != UNKNOWN)}",
        f"    category: {guess}",
        "    when:",
    ]
    if case.receiver:
        lines.append(f"      receiver: {case.receiver}")
    if case.reply.code is not None:
        lines.append(f'      code: "{case.reply.code // 100}xx"')
    else:
        lines.append("      origin: [remote, local]")
    lines += [
        f"      text: [{json.dumps(pattern, ensure_ascii=False)}]",
        "    examples:",
        f"      - {{{', '.join(example)}}}",
        "    # near misses: replies that look alike and mean something else",
        "    # not: []",
        "    source: observed",
        f"    seen: {seen}",
    ]
    return "\n".join(lines) + "\n"
