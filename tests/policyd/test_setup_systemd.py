"""`mxheed setup systemd`: units for this installation, and nobody's edits lost."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from policyd.cli import main
from policyd.cli import setup_systemd as command
from policyd.doctor.installed import units
from policyd.shipped.unitfiles import files, look, unrunnable

PROGRAM = "/opt/elsewhere/bin/mxheed"
UNIT = "etc/systemd/system/mxheed.service"


def write(root: Path, *more: str, program: str = PROGRAM) -> int:
    return main(["setup", "systemd", "--write", "--root", str(root), "--program", program, *more])


def test_what_is_printed_is_what_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Units with this program and configuration, the user, a configuration, a link for shells."""
    assert write(tmp_path, "--config", "/etc/mail/heed.yaml") == 0
    unit = (tmp_path / UNIT).read_text()
    assert f"ExecStart={PROGRAM} run --config /etc/mail/heed.yaml\n" in unit
    written = [path for path in (tmp_path / "etc").rglob("*") if path.is_file()]
    assert "/opt/mxheed" not in "".join(path.read_text() for path in written)
    assert (tmp_path / "etc/mail/heed.yaml").read_text().startswith("# mxheed beside a Postfix")
    assert os.readlink(tmp_path / "usr/local/bin/mxheed") == PROGRAM
    capsys.readouterr()
    main(["setup", "systemd", "--program", PROGRAM, "--config", "/etc/mail/heed.yaml"])
    printed = capsys.readouterr().out
    for path in written:
        assert f"### /{path.relative_to(tmp_path)}\n{path.read_text()}\n" in printed
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_newer_version_renews_what_nobody_edited(tmp_path: Path) -> None:
    """A file that we wrote and nobody touched is brought up to date, and only then."""
    write(tmp_path, program="/opt/old/bin/mxheed")
    config = tmp_path / "etc/mxheed/mxheed.yaml"
    config.write_text("log: {path: /var/log/mine}\n")
    assert write(tmp_path) == 0
    assert PROGRAM in (tmp_path / UNIT).read_text()
    assert config.read_text() == "log: {path: /var/log/mine}\n"
    assert {look(file, tmp_path) for file in files(PROGRAM)} == {"same"}


@pytest.mark.parametrize("how", ["edited", "own", "masked", "linked"])
def test_an_edited_file_is_kept_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    """What an operator changed, wrote or masked stays, and the exit code says that it did."""
    write(tmp_path, program="/opt/old/bin/mxheed")
    unit = tmp_path / UNIT
    if how == "edited":
        unit.write_text(unit.read_text().replace("WatchdogSec=2", "WatchdogSec=9"))
    elif how == "own":
        unit.write_text("[Service]\nExecStart=/bin/true\n")
    elif how == "masked":
        unit.unlink()
        unit.symlink_to("/dev/null")
    else:
        unit.symlink_to(unit.rename(tmp_path / "kept-elsewhere"))
    before = (unit.is_symlink(), unit.read_text())
    assert write(tmp_path) == 1
    assert (unit.is_symlink(), unit.read_text()) == before
    said = capsys.readouterr()
    assert f"kept      {unit} (edited)" in said.out
    assert "not replaced, because edited: /etc/systemd/system/mxheed.service" in said.err
    assert write(tmp_path, "--force") == 0
    assert PROGRAM in unit.read_text()
    assert Path(f"{unit}.edited").read_text() == before[1]


def test_a_copy_by_hand_is_not_an_edit(tmp_path: Path) -> None:
    """A unit that was copied as it is shipped may be renewed later."""
    for file in files(PROGRAM):
        target = tmp_path / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text.partition("\n")[2] if file.own else file.text)
    assert write(tmp_path) == 0


def test_units_are_not_written_for_a_program_that_they_could_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkout in a home or a temporary folder is hidden from the sandbox: said, not tried."""
    monkeypatch.setattr(command, "own_program", lambda: "/tmp/checkout/.venv/bin/mxheed")
    assert main(["setup", "systemd", "--write", "--root", str(tmp_path)]) == 1
    assert "could not run this installation" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/usr/bin/env", ""),
        ("/nonexistent/mxheed", "No such file"),
        ("/home/a/.local/bin/mxheed", "in a home"),
        ("/root/.local/bin/mxheed", "in a home"),
        ("/tmp/checkout/.venv/bin/mxheed", "in a temporary folder"),
    ],
)
def test_a_program_that_the_units_cannot_run_is_told(path: str, why: str) -> None:
    """It is not there, or the sandbox hides it."""
    assert (why in unrunnable(path)) if why else unrunnable(path) == ""


def test_interpreter_and_folders_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program whose interpreter is hidden, or in a folder that others may not enter."""
    monkeypatch.setattr("policyd.shipped.unitfiles._TEMPORARY", ())
    monkeypatch.setattr("policyd.shipped.unitfiles._HOMES", ("/home/",))
    program = tmp_path / "mxheed"
    program.write_text("#!/home/a/python3\n")
    assert "/home/a/python3 is in a home" in unrunnable(str(program))
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    assert f"{program} may not be entered by others" in unrunnable(str(program))


@pytest.mark.parametrize("path", ["relative/mxheed.yaml", "/etc/with blank.yaml", "/etc/50%.yaml"])
def test_a_path_that_no_unit_can_name_is_refused(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blanks and percent signs mean something else there."""
    assert main(["setup", "systemd", "--program", PROGRAM, "--config", path]) == 1
    assert "absolute and without blanks" in capsys.readouterr().err


def test_the_doctor_sees_what_is_installed(tmp_path: Path) -> None:
    """Which unit is current, edited, enabled, and whose program is gone."""
    assert units(tmp_path).paths == frozenset()
    write(tmp_path)
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    (wants / "mxheed.service").symlink_to("/etc/systemd/system/mxheed.service")
    seen = units(tmp_path)
    assert f"/{UNIT}" in seen.paths
    assert seen.stale == ()
    assert seen.configs == {"/etc/mxheed/mxheed.yaml"}
    assert seen.enabled == {"mxheed.service"}
    assert set(seen.broken) == {
        "/etc/systemd/system/mxheed.service", "/etc/systemd/system/mxheed-bypass.service"
    }  # fmt: skip
    with (tmp_path / UNIT).open("a") as unit:
        unit.write("Nice=0\n")
    assert units(tmp_path).stale == (f"/{UNIT}",)
