"""RE2 patterns: checked when a file is read, compiled to search without regard to case.

Contract: RE2 syntax, linear time, no backtracking anywhere; one set of options for every use.
Failure: `fault` says in words what is wrong with a pattern, None when nothing is.
"""

from __future__ import annotations

from typing import Any

import re2

__all__ = ["MAX_PATTERN", "compile_pattern", "fault", "options", "pattern_set"]

MAX_PATTERN = 1000


def options() -> Any:
    """The options every pattern is compiled with."""
    chosen = re2.Options()
    chosen.case_sensitive = False
    chosen.dot_nl = True
    chosen.log_errors = False
    chosen.max_mem = 1 << 26
    return chosen


def compile_pattern(pattern: str) -> Any:
    """The compiled pattern; offers `search`."""
    return re2.compile(pattern, options())


def pattern_set(memory: int, pattern: str | None = None, *, lines: bool = False) -> Any:
    """A set that tells which of its patterns occur; with `pattern`: of that one, ready to use.

    `lines`: `.`, `^` and `$` stay within a line.
    """
    chosen = options()
    if lines:
        chosen.dot_nl = False
        pattern = f"(?m){pattern}" if pattern else pattern
    chosen.never_capture = True
    chosen.max_mem = memory
    made = re2.Set.SearchSet(chosen)
    if pattern is not None:
        made.Add(pattern)
        made.Compile()
    return made


def fault(pattern: str) -> str | None:
    """What is wrong with a pattern, in words."""
    if not pattern:
        return "a pattern must not be empty"
    if len(pattern) > MAX_PATTERN:
        return f"the pattern is longer than {MAX_PATTERN} characters"
    try:
        compiled = compile_pattern(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else "bad pattern"
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return f"not an RE2 pattern: {words}"
    if compiled.search(""):
        return "the pattern matches the empty text, so it would match every reply"
    return None
