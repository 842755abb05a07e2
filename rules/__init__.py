"""The formal language for replies: what a remote server's words mean for the sender.

Contract: `load` reads the rules, `Classifier` judges replies by them; values in, values out. The
language is defined in SPEC.md, the conventions for shipped packs in README.md.
Failure: `RulesError`, with every mistake as file:line:column.
"""

from __future__ import annotations

from rules.classifier import CacheInfo, Classifier
from rules.errors import Problem, RulesError, UnknownRule
from rules.loader import load
from rules.model import Rule, RuleSet
from rules.taxonomy import CATEGORIES
from rules.verdict import Verdict

__all__ = [
    "CATEGORIES",
    "CacheInfo",
    "Classifier",
    "Problem",
    "Rule",
    "RuleSet",
    "RulesError",
    "UnknownRule",
    "Verdict",
    "load",
]
