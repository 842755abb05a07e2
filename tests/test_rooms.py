"""The rooms of the code: who may stand on whom, and how much may lie about."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent

# who may import whom: whatever a room of policyd needs of the others, and no more
ARROWS = {
    "bounded": "",
    "cli": "config counting daemon doctor errors exim logparse memory postfix process reading "
    "receiver report rules serve settings shipped store web",
    "config": "errors memory receiver rules serve settings throttle",
    "core": "config counting hooks logparse memory process receiver rules serve settings store "
    "throttle",
    "counting": "bounded logparse receiver rules throttle",
    "daemon": "config core counting errors exim hooks metrics postfix process reading rules serve "
    "servers store web",
    "doctor": "config counting errors exim hooks logparse postfix reading serve settings shipped "
    "web",
    "errors": "",
    "exim": "core errors postfix serve throttle web",
    "hooks": "bounded logparse reading receiver rules serve settings throttle",
    "memory": "bounded counting errors logparse rules settings store throttle",
    "metrics": "core counting process serve store throttle web",
    "postfix": "core errors hooks logparse rules serve settings throttle",
    "process": "",
    "reading": "errors logparse sample settings store",
    "receiver": "bounded logparse rules settings throttle",
    "report": "counting logparse receiver rules",
    "sample": "",
    "serve": "errors process settings",
    "servers": "serve web",
    "settings": "rules",
    "shape": "",
    "shipped": "",
    "store": "errors process shape",
    "throttle": "bounded logparse rules settings shape",
    "web": "core counting errors receiver rules serve settings throttle",
}
MOST_FILES = 8  # beside the rooms of policyd
LONGEST = 280  # lines of a module; a longer one says in its head why ("Length: …")
HARD = 310  # and none goes beyond this


def _arrows() -> ModuleType:
    module = ModuleType("arrows")
    vars(module)["__file__"] = str(ROOT / "contrib/dev/arrows")
    code = (ROOT / "contrib/dev/arrows").read_text("utf-8")
    exec(compile(code, str(ROOT / "contrib/dev/arrows"), "exec"), vars(module))
    return module


arrows = _arrows()
GRAPH = arrows.graph()
OURS = sorted(
    path
    for folder in ("rules", "logparse", "policyd", "bench")
    for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("folder", arrows.folders(GRAPH))
def test_nothing_goes_in_a_circle(folder: str) -> None:
    """Neither packages, nor rooms, nor the modules of a room import in a circle."""
    assert arrows.circles(arrows.within(GRAPH, folder)) == []


def test_a_circle_would_be_found() -> None:
    """Two rooms that stand on each other, by way of a third, are told with all three."""
    graph = {
        "policyd.a.x": {"policyd.b.y"},
        "policyd.b.z": {"policyd.c.w"},
        "policyd.c.w": {"policyd.a.v"},
    }
    assert arrows.circles(arrows.within(graph, "policyd")) == [("a", "b", "c")]


@pytest.mark.parametrize("room", sorted({*ARROWS, *arrows.rooms()}))
def test_arrows_between_rooms_are_written_down(room: str) -> None:
    """Each room imports just the rooms it may: a new arrow is a decision, an old one goes."""
    assert room in ARROWS, f"policyd/{room} is new: say here what it may stand on"
    assert arrows.rooms().get(room, set()) == set(ARROWS[room].split())


def test_few_files_lie_beside_the_rooms() -> None:
    """What composes lies in policyd itself, with what everything stands on; the rest has a room."""
    assert len(list((ROOT / "policyd").glob("*.py"))) <= MOST_FILES


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_long_module_says_why(path: Path) -> None:
    """A module of more than 280 lines has a reason in its head."""
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= HARD or path.parent.name == "bench"
    if len(text.splitlines()) > LONGEST:
        assert "\nLength: " in (ast.get_docstring(ast.parse(text)) or "")


def test_no_class_name_stands_twice() -> None:
    """One name, one thing: also where two modules would never meet."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in OURS:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_picture_in_the_design_is_of_today() -> None:
    """DESIGN.md shows the arrows as they are: `contrib/dev/arrows --write` draws them."""
    text = (ROOT / "DESIGN.md").read_text("utf-8")
    assert arrows.placed(text, arrows.picture(arrows.rooms())) == text


@pytest.mark.parametrize("room", sorted(arrows.rooms()))
def test_the_design_has_a_paragraph_for_each_room(room: str) -> None:
    """What it is for, what it stands on, where its state lives, what becomes of it in trouble."""
    text = (ROOT / "DESIGN.md").read_text("utf-8").partition("## The rooms")[2]
    paragraphs = text.partition("\n## ")[0].split("\n\n")
    assert len([one for one in paragraphs if f"**`{room}`**" in one]) == 1
