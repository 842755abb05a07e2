"""The manual of the configuration, written from the settings classes themselves.

Contract: `sample` is a whole configuration with every key at its default, commented; `tables` is
the reference in docs/configuration.md. What is documented is what is loaded, because both are one.
Failure: a field without a `doc` raises `KeyError`, so it fails a test.

`python -m policyd.cli.manual` prints the reference.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import Field, is_dataclass
from math import isinf
from typing import Annotated, Any, get_args, get_origin

from policyd.config import Config
from policyd.settings.bind import default, describe, limits, schema
from policyd.settings.units import spell

__all__ = ["main", "sample", "tables"]

INTRO = """\
# Configuration

`mxheed run --config mxheed.yaml`; `mxheed check --config mxheed.yaml` prints every mistake with its
place. Every key is optional. `mxheed check --defaults` prints a commented file to start from. A
file that is not valid never replaces a running configuration (`systemctl reload mxheed`).

This page is made from the program: `python -m policyd.cli.manual > docs/configuration.md`.
"""
HEAD = "| key | default | allowed | meaning |\n|---|---|---|---|\n"


def sample() -> str:
    """A whole commented configuration with the defaults."""
    lines = ["# mxheed.yaml: every key with its default; all are optional.", ""]
    for name, (_, kind) in schema(Config).items():
        lines += [f"# {_summary(kind)}", f"{name}:", *_section(kind, "  "), ""]
    return "\n".join(lines).rstrip() + "\n"


def tables() -> str:
    """The reference: a table for each section."""
    return INTRO + "".join(
        f"\n## `{name}`\n\n{_summary(kind)}\n\n{HEAD}" + "".join(_rows(kind, ""))
        for name, (_, kind) in schema(Config).items()
    )


def main() -> None:
    """Print the reference."""
    sys.stdout.write(tables())


def _summary(cls: Any) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _section(cls: Any, indent: str) -> Iterator[str]:
    for name, (entry, kind) in schema(cls).items():
        yield from _comment(entry, kind, indent)
        value = default(entry)
        if is_dataclass(value) and not isinstance(value, type):
            yield f"{indent}{name}:"
            yield from _section(type(value), indent + "  ")
        else:
            yield f"{indent}{name}: {_yaml(value, kind)}"


def _comment(entry: Field[Any], kind: Any, indent: str) -> Iterator[str]:
    section = is_dataclass(kind)
    words = _summary(kind) if section else f"{_doc(entry)} [{_allowed(entry, kind)}]"
    yield from textwrap.wrap(
        words, 96, initial_indent=indent + "# ", subsequent_indent=indent + "# "
    )


def _doc(entry: Field[Any]) -> str:
    """What a key is for, and whether a reload takes it."""
    words = str(entry.metadata["doc"])
    return f"{words.removesuffix('.')}. Taken at a start." if "restart" in entry.metadata else words


def _allowed(entry: Field[Any], kind: Any) -> str:
    """What a key takes, in words."""
    words, (low, high) = describe(kind), limits(entry)
    if isinf(low) and isinf(high):
        return words
    spelt = spell if "duration" in words else lambda number: f"{number:.15g}"
    return f"{words}; {spelt(low)} to {spelt(high)}"


def _rows(cls: Any, prefix: str) -> Iterator[str]:
    for name, (entry, kind) in schema(cls).items():
        value = default(entry)
        if is_dataclass(value) and not isinstance(value, type):
            yield from _rows(type(value), f"{prefix}{name}.")
            continue
        shown = _yaml(value, kind)
        doc = _doc(entry).replace("|", "\\|")
        allowed = _allowed(entry, kind).replace("|", "\\|")
        shown = f"`{shown}`" if len(shown) < 60 else "see below"
        yield f"| `{prefix}{name}` | {shown} | {allowed} | {doc} |\n"
        yield from _nested(kind, f"{prefix}{name}.NAME.")


def _nested(kind: Any, prefix: str) -> Iterator[str]:
    """The keys below each name of a table, or in each item of a list, of settings."""
    args = get_args(kind)
    inner = args[-1] if get_origin(kind) not in (None, Annotated) and args else None
    if get_origin(kind) is tuple:
        inner, prefix = args[0], prefix.removesuffix(".NAME.") + "[]."
    if inner is not None and is_dataclass(inner):
        yield from _rows(inner, prefix)


def _yaml(value: Any, kind: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if get_origin(kind) is Annotated or (
        isinstance(value, float) and any(get_origin(arm) is Annotated for arm in get_args(kind))
    ):
        return spell(float(value))
    if isinstance(value, Mapping):
        inner = get_args(kind)[-1]
        return "{" + ", ".join(f"{_word(k)}: {_yaml(v, inner)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        inner = get_args(kind)[0] if get_args(kind) else str
        return "[" + ", ".join(_yaml(item, inner) for item in value) + "]"
    if is_dataclass(value) and not isinstance(value, type):
        parts = []
        for name, (entry, part) in schema(type(value)).items():
            if (held := getattr(value, name)) != default(entry):
                parts.append(f"{name}: {_yaml(held, part)}")
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, float):
        return repr(value)
    return _word(value) if isinstance(value, str) else str(value)


def _word(text: str) -> str:
    plain = (
        text and all(char.isalnum() or char in "._/-+@" for char in text) and text[0] not in "-@"
    )
    spoken = text.lower() in {"null", "true", "false", "yes", "no", "on", "off"}
    return text if plain and not spoken and not text[:1].isdigit() else f'"{text}"'


if __name__ == "__main__":
    main()
