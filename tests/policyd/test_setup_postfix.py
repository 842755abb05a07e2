"""`mxheed setup postfix`: what is printed is what is documented and tested."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from policyd import config as configuration
from policyd.cli import main
from policyd.doctor.mending import safety
from policyd.postfix.commands import commands
from policyd.postfix.setup import fragments, learnt_limits, seen_from_postfix
from policyd.serve.settings import ServeSettings
from policyd.throttle.settings.pacing import Limits, PacingSettings
from tests.policyd.test_setup_safety import PROBING

CONTRIB = Path(__file__).resolve().parents[2] / "contrib" / "postfix"


def test_the_files_in_contrib_are_what_setup_prints() -> None:
    """contrib/postfix holds, word for word, what setup prints for contrib/postfix/mxheed.yaml."""
    shipped = configuration.load(CONTRIB / "mxheed.yaml").serve
    serve = ServeSettings(
        socketmap=shipped.socketmap,
        policy=shipped.policy,
        transports={"google": "mx-google"},
        recipient_limits=(1, 2, 5, 10, 20),
    )
    pacing = PacingSettings(receivers={"google": Limits(connections=5)})
    pieces = [*fragments(serve, pacing, {"postfix/pool2/smtp": "pool2"}), *safety(PROBING)]
    assert {f"{piece.name}.{piece.file}" for piece in pieces} == {
        path.name for path in CONTRIB.glob("*.cf")
    }
    for piece in pieces:
        assert (CONTRIB / f"{piece.name}.{piece.file}").read_text("utf-8") == piece.text


@pytest.mark.parametrize(
    ("addresses", "seen"),
    [
        (["inet:127.0.0.1:9826"], "inet:127.0.0.1:9826"),
        (["unix:/var/spool/postfix/mxheed/socketmap"], "unix:mxheed/socketmap"),
        (["unix:/var/spool/postfix-out/x"], "unix:/var/spool/postfix-out/x"),
        (["unix:/run/mxheed/socketmap"], "unix:/run/mxheed/socketmap"),
        (["unix:/var/spool/postfix-out/x", "unix:/var/spool/postfix/x"], "unix:x"),
        ([], ""),
    ],
)
def test_sockets_under_the_queue_directory_are_named_relative_to_it(
    addresses: list[str], seen: str
) -> None:
    """A chrooted service finds the same path as one that is not; each instance its own."""
    assert seen_from_postfix(addresses) == seen


def test_hooks_that_are_off_are_not_set_up() -> None:
    """Without a policy socket, Postfix is not told to ask one."""
    serve = ServeSettings(policy=())
    assert [piece.name for piece in fragments(serve, PacingSettings(), {})] == ["gate", "status"]


def test_known_recipient_limits_become_limits_of_the_named_transport() -> None:
    """A receiver that takes 10 recipients a message gets no more over its own transport."""
    serve = ServeSettings(transports={"orange": "mx-orange"})
    limits = Limits(recipients=10, messages_per_connection=20)
    texts = {
        (piece.name, piece.file): piece.text
        for piece in fragments(serve, PacingSettings(receivers={"orange": limits}), {})
    }
    assert "mx-orange_destination_recipient_limit = 10\n" in texts["transport", "main.cf"]
    assert "    -o smtp_connection_reuse_count_limit=20\n" in texts["transport", "master.cf"]


def test_each_recipient_limit_has_its_transport() -> None:
    """A transport in master.cf and its limit in main.cf, for each number and for no other."""
    serve = ServeSettings(recipient_limits=(10, 3))
    texts = {
        (piece.name, piece.file): piece.text for piece in fragments(serve, PacingSettings(), {})
    }
    services = [line for line in texts["recipients", "master.cf"].splitlines() if " smtp" in line]
    assert [line.split()[0] for line in services] == ["mxheed-r3", "mxheed-r10"]
    assert [line for line in texts["recipients", "main.cf"].splitlines() if line[0] != "#"] == [
        "mxheed-r3_destination_recipient_limit = 3",
        "mxheed-r10_destination_recipient_limit = 10",
    ]
    assert "rewrite_service_name=rewrite-queue" in texts["resolver", "master.cf"]


def test_learnt_recipient_limits_are_proposed() -> None:
    """What the daemon learnt is proposed; what is configured goes before it."""
    metrics = (
        "# TYPE mxheed_receiver_recipient_limit gauge\n"
        'mxheed_receiver_recipient_limit{receiver="orange"} 10.0\n'
        'mxheed_receiver_recipient_limit{receiver="free"} 25\n'
        'mxheed_receiver_recipient_limit{receiver="mx:example.org"} 5\n'
    )
    learnt = learnt_limits(metrics)
    assert learnt == {"orange": 10, "free": 25, "mx:example.org": 5}
    serve = ServeSettings(transports={"orange": "mx-orange", "free": "mx-free"})
    pacing = PacingSettings(receivers={"free": Limits(recipients=20)})
    pieces = fragments(serve, pacing, {}, learnt=learnt)
    texts = {(one.name, one.file): one.text for one in pieces}
    limits = texts["transport", "main.cf"]
    assert "mx-orange_destination_recipient_limit = 10\n" in limits
    assert "mx-free_destination_recipient_limit = 20\n" in limits
    assert "# mx:example.org takes 5: see serve.recipient_limits\n" in limits


def test_the_commands_say_what_the_lines_say() -> None:
    """One command for each parameter and service that is printed, for the instance meant."""
    serve = ServeSettings(transports={"google": "mx-google"}, recipient_limits=(5,))
    pieces = list(fragments(serve, PacingSettings(), {"postfix/pool2/smtp": "pool2"}))
    lines = [line for line in commands(pieces, "/etc/pf out") if line and line[0] != "#"]
    words = [shlex.split(line) for line in lines]
    assert all(one[:3] == ["postconf", "-c", "/etc/pf out"] for one in words)
    said = {one[4].partition(" = ")[0]: one[3] for one in words}
    assert said == {
        "smtp_dns_reply_filter": "-e",
        "smtp_delivery_status_filter": "-e",
        "smtpd_recipient_restrictions": "-e",
        "mxheed-r5_destination_recipient_limit": "-e",
        "qmgr/unix": "-Me",
        "rewrite-queue/unix": "-Me",
        "mx-google/unix": "-Me",
        "mxheed-r5/unix": "-Me",
        "pool2/unix": "-Me",
    }


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        ([], "mxheed doctor"),
        (["--config", "CONFIG"], "mxheed doctor --config CONFIG"),
        (["--config", "CONFIG", "--commands"], "mxheed doctor --config CONFIG"),
    ],
)
def test_the_last_line_is_the_next_command(
    arguments: list[str],
    last: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the configuration that was given, so that the doctor looks at the same one."""
    monkeypatch.setattr("policyd.cli.setup._called", lambda: "mxheed")
    monkeypatch.setattr("policyd.cli.at_hand.INSTALLED", tmp_path / "none.yaml")
    config = tmp_path / "my mxheed.yaml"
    config.write_text("")
    quoted = shlex.quote(str(config))
    assert main(["setup", "postfix", *(str(config) if one == "CONFIG" else one
                                       for one in arguments)]) == 0  # fmt: skip
    told = capsys.readouterr().out.splitlines()[-1].removeprefix("### then: ")
    assert told == f"postfix check && postfix reload && {last.replace('CONFIG', quoted)}"


def test_the_installed_configuration_is_the_one_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --config the operator's commands take /etc/mxheed/mxheed.yaml where it is there."""
    installed = tmp_path / "mxheed.yaml"
    installed.write_text('serve: {socketmap: ["inet:127.0.0.1:1234"]}\n')
    monkeypatch.setattr("policyd.cli.at_hand.INSTALLED", installed)
    assert main(["setup", "postfix"]) == 0
    told = capsys.readouterr().out
    assert "socketmap:inet:127.0.0.1:1234:mx" in told
    assert told.endswith(f"doctor --config {installed}\n")
