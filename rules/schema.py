"""The JSON Schema of rule files, for editors: built from the same lists the loader uses.

Contract: `schema` returns it; `python -m rules.schema` writes `schema.json` anew. It covers what
concerns a single file's form. What needs more (ids of other files, RE2 syntax, examples) only the
loader knows.
Failure: none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rules.captures import KINDS
from rules.fields import BESIDE, EXAMPLE_KEYS, FLAGS
from rules.language import VERSION, VERSIONS
from rules.model import ORIGINS, STAGES
from rules.patterns import MAX_PATTERN
from rules.taxonomy import CATEGORIES, SCOPES, STANCES, UNKNOWN

__all__ = ["FILE", "schema"]

FILE = Path(__file__).parent / "schema.json"
_NAME = r"^[a-z0-9]+(?:[._\-][a-z0-9]+)*$"
_ID = r"^[a-z0-9]+(?:[.\-][a-z0-9]+)+$"
_CODE = {
    "oneOf": [
        {"type": "integer", "minimum": 200, "maximum": 599},
        {"type": "string", "pattern": "^[2-5](?:xx|yz)$"},
    ]
}
_ENHANCED = r"^(?:[245]\.[0-9]{1,3}\.(?:[0-9]{1,3}|\*)|[245]\.\*(?:\.\*)?)$"
_HOST = r"^\.?[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)*$"
_DURATION = r"^\s*[0-9]{1,6}\s*[smhd]\s*$"
_DATE = "^20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$"


def schema() -> dict[str, Any]:
    """The whole schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"mxheed rule file, version {VERSION}",
        **_object(
            {
                "mxheed": _enum(VERSIONS),
                "pack": {"type": "string", "pattern": _NAME},
                "rank": {"$ref": "#/$defs/rank"},
                "phrases": {
                    "type": "object",
                    "propertyNames": {"pattern": _NAME},
                    "additionalProperties": {"$ref": "#/$defs/texts"},
                },
                "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}},
                "receivers": {"type": "array", "items": {"$ref": "#/$defs/receiver"}},
                "override": {"type": "array", "items": {"$ref": "#/$defs/override"}},
                "disable": {"type": "array", "items": {"type": "string"}},
            },
            required=("mxheed", "pack"),
        ),
        "$defs": {
            "rank": {"type": "integer", "minimum": 0, "maximum": 99},
            "pattern": {"type": "string", "minLength": 1, "maxLength": MAX_PATTERN},
            "patterns": _some({"$ref": "#/$defs/pattern"}),
            "texts": _some({"oneOf": [{"$ref": "#/$defs/pattern"}, {"$ref": "#/$defs/elsewhere"}]}),
            "elsewhere": {
                **_object(
                    {
                        "phrases": {"type": "string"},
                        **{key: {"$ref": "#/$defs/patterns"} for key in BESIDE},
                    }
                ),
                "minProperties": 1,
            },
            "receiver": _receiver(),
            "override": _override(),
            "rule": _rule(),
            "when": _when(),
            "examples": {"type": "array", "items": _example()},
        },
    }


def _rule() -> dict[str, Any]:
    categories = [name for name in CATEGORIES if name != UNKNOWN]
    rule = _object(
        {
            "id": {"type": "string", "pattern": _ID},
            "category": _enum(categories),
            "when": {"$ref": "#/$defs/when"},
            "scope": _enum(SCOPES),
            "stance": _enum(STANCES),
            "suppress": {"type": "boolean"},
            "retry": {"type": "string", "pattern": _DURATION},
            "capture": _object({kind: {"$ref": "#/$defs/pattern"} for kind in KINDS}),
            "vague": {"type": "boolean"},
            "rank": {"$ref": "#/$defs/rank"},
            "examples": {"$ref": "#/$defs/examples", "minItems": 1},
            "not": {"$ref": "#/$defs/examples"},
            "source": {"type": "string"},
            "seen": {"type": "string", "pattern": _DATE},
        },
        required=("id", "category", "when", "examples"),
    )
    sure = [name for name, known in CATEGORIES.items() if known.suppress == "yes"]
    rule["if"] = {"properties": {"suppress": {"const": True}}, "required": ["suppress"]}
    rule["then"] = {"properties": {"category": _enum(sure)}}
    return rule


def _receiver() -> dict[str, Any]:
    hosts = _some({"type": "string"})
    return _object(
        {
            "id": {"type": "string", "pattern": _NAME},
            "name": {"type": "string"},
            "mx": _object({"exact": hosts, "suffix": hosts}),
            "domains": hosts,
            "per_tenant": {"type": "boolean"},
            "source": {"type": "string"},
        },
        required=("id",),
    )


def _override() -> dict[str, Any]:
    changed = _object(
        {
            "id": {"type": "string", "pattern": _ID},
            "scope": _enum(SCOPES),
            "stance": _enum(STANCES),
            "suppress": {"const": False},
            "retry": {"type": "string", "pattern": _DURATION},
            "rank": {"$ref": "#/$defs/rank"},
        },
        required=("id",),
    )
    return {**changed, "minProperties": 2}


def _texts() -> dict[str, Any]:
    return {
        "oneOf": [
            {"$ref": "#/$defs/texts"},
            _object({key: {"$ref": "#/$defs/texts"} for key in ("any", "all", "none")}),
        ]
    }


def _when() -> dict[str, Any]:
    when = _object(
        {
            "receiver": _some({"type": "string"}),
            "mx": _some({"type": "string", "pattern": _HOST}),
            "code": _some(_CODE),
            "enhanced": _some({"type": "string", "pattern": _ENHANCED}),
            "stage": _some(_enum(STAGES)),
            "origin": _some(_enum(ORIGINS)),
            **{key: _texts() for key in ("text", *BESIDE)},
            "inner": _some(_CODE),
        }
    )
    only_none = {
        "type": "object",
        "not": {"anyOf": [{"required": ["any"]}, {"required": ["all"]}]},
        "required": ["none"],
    }
    when["anyOf"] = [
        {"required": ["code"]},
        {"required": ["enhanced"]},
        *(
            {"required": [key], "properties": {key: {"not": only_none}}}
            for key in ("text", *BESIDE)
        ),
    ]
    return when


def _example() -> dict[str, Any]:
    shapes: dict[str, Any] = {key: {"type": "string"} for key in EXAMPLE_KEYS}
    shapes["reply"] = {"type": "string", "minLength": 1}
    shapes["stage"], shapes["origin"] = _enum(STAGES), _enum(ORIGINS)
    shapes["retry_after"] = {"type": "number"}
    shapes["captures"] = {
        "type": "object",
        "additionalProperties": {"type": ["string", "number"]},
    }
    shapes["flags"] = _some(_enum(FLAGS))
    shapes["suppress"] = {"type": "boolean"}
    return {"oneOf": [{"type": "string"}, _object(shapes, required=("reply",))]}


def _object(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    if required:
        made["required"] = list(required)
    return made


def _some(item: dict[str, Any]) -> dict[str, Any]:
    """A list, or a single value that stands for a list of one."""
    return {"anyOf": [item, {"type": "array", "items": item}]}


def _enum(words: Any) -> dict[str, Any]:
    return {"enum": list(words)}


if __name__ == "__main__":
    FILE.write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
