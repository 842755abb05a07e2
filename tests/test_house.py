"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rules", "logparse", "policyd")
# who may import whom: policyd stands on the two others, which do not know each other
ALLOWED = {
    "rules": {"rules"},
    "logparse": {"logparse"},
    "policyd": {"policyd", "rules", "logparse"},
}
PURE = ("rules/*.py", "logparse/*.py", "policyd/throttle/*.py", "policyd/hooks/mxgate.py")

MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_arrows_go_one_way(path: Path) -> None:
    """policyd may import rules and logparse; nothing imports back or sideways."""
    package = path.relative_to(ROOT).parts[0]
    assert imports(path) & set(PACKAGES) <= ALLOWED[package]


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """Every module opens with a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{named(path)} has no docstring"


@pytest.mark.parametrize(
    "path", [path for pattern in PURE for path in sorted(ROOT.glob(pattern))], ids=named
)
def test_pure_modules_read_no_clock(path: Path) -> None:
    """Below the daemon time is an argument: no module of the pure core calls a clock."""
    clocks = {"time", "monotonic", "perf_counter", "time_ns", "now", "utcnow", "today"}
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"time", "datetime", "date"}
        and node.func.attr in clocks
    ]
    assert not calls, f"{named(path)}:{calls[0].lineno} reads a clock"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_nothing_waits_in_a_way_that_may_miss_its_end(path: Path) -> None:
    """Up to Python 3.11 `asyncio.wait_for` swallows a cancellation that comes with the result."""
    text = path.read_text(encoding="utf-8")
    assert "asyncio.wait_for(" not in text, "use asyncio.timeout"


def test_every_package_is_installed() -> None:
    """Each folder with modules of ours is named in setup.cfg, so that an installation has it."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    folders = {named(path.parent).replace("/", ".") for path in MODULES}
    assert folders == listed


def test_only_the_build_system_is_in_pyproject() -> None:
    """setup.cfg holds all metadata; pyproject.toml holds three lines."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert lines[0] == "[build-system]"
