"""A terminal that is closed ends what runs in it; a service takes the same signal for a reload."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from policyd.process.terminal import of_terminal

ROOT = Path(__file__).resolve().parents[2]
# the tests themselves may run under nohup, whose ignored signal would be handed down
ON_TERMINAL = ("env", "--default-signal=HUP", "setsid", "--ctty")


def test_a_closed_terminal_ends_the_daemon(tmp_path: Path) -> None:
    """Nobody is left behind with its ports: it ends as by Ctrl-C, with exit code 0."""
    log = tmp_path / "mail.log"
    log.touch()
    command = [
        sys.executable, "-m", "policyd.cli", "run", f"--log={log}", f"--state={tmp_path}/state",
        f"--control={tmp_path}/control", f"--socketmap=unix:{tmp_path}/map",
        f"--policy=unix:{tmp_path}/policy", "--http=inet:127.0.0.1:0",
    ]  # fmt: skip
    terminal, inside = os.openpty()
    process = subprocess.Popen(
        [*ON_TERMINAL, *command], cwd=ROOT, stdin=inside, stdout=inside, stderr=inside
    )
    os.close(inside)
    try:
        said = b""
        while b"Ctrl-C" not in said:
            said += os.read(terminal, 4096)
        os.close(terminal)
        assert process.wait(20) == 0
        assert not (tmp_path / "map").exists()
    finally:
        process.kill()
        process.wait()


def test_who_was_told_to_ignore_the_terminal_lives_on() -> None:
    """Under nohup the signal is none of a terminal's."""
    assert not of_terminal(signal.SIG_IGN)


def test_last_words_to_a_closed_terminal_do_no_harm() -> None:
    """What was being said when the terminal went is dropped, and the end is a clean one."""
    script = (
        "import signal, sys; from policyd.process.terminal import fall_silent\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})\n"
        "print('ready', flush=True); signal.sigwait({signal.SIGHUP})\n"
        "sys.stdout.write('never heard'); fall_silent()"
    )
    terminal, inside = os.openpty()
    process = subprocess.Popen(
        [*ON_TERMINAL, sys.executable, "-c", script], cwd=ROOT, stdin=inside, stdout=inside,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    os.close(inside)
    try:
        assert os.read(terminal, 100).startswith(b"ready")
        os.close(terminal)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
