"""Sockets: mode and group, left-overs of the dead, those in use, those that systemd passes."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from policyd.errors import ListenError
from policyd.serve.listen import Address, inherited, open_socket, parse, remove


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("inet:127.0.0.1:9826", Address(host="127.0.0.1", port=9826)),
        ("inet:[::1]:9826", Address(host="::1", port=9826)),
        ("inet:localhost:0", Address(host="localhost")),
        ("unix:/run/mxheed/map.sock", Address(path="/run/mxheed/map.sock")),
    ],
)
def test_an_address_reads_as_postfix_writes_it(text: str, address: Address) -> None:
    """inet:HOST:PORT and unix:/path; a plain one prints the way it was written."""
    assert parse(text) == address
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0.1:1", "inet:1", "inet::25", "inet:h:x", "inet:h:65536", "unix:relative", "unix:",
     "tcp:h:1", "inet:h:-1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_two_forms(text: str) -> None:
    """The words say what is allowed."""
    with pytest.raises(ListenError, match=r"write inet:HOST:PORT or unix:/path"):
        parse(text)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_unix_socket_has_its_mode_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """The mode is the configured one from the first moment the name exists."""
    path = tmp_path / "map.sock"
    before = os.umask(umask)
    try:
        listener = open_socket(parse(f"unix:{path}"), mode=0o660)
    finally:
        os.umask(before)
    with listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert [entry.name for entry in tmp_path.iterdir()] == ["map.sock"]


def test_the_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    """A fresh machine has no folder for the sockets; others get no access to the new one."""
    path = tmp_path / "queue" / "mxheed" / "map.sock"
    with open_socket(parse(f"unix:{path}")):
        assert stat.S_IMODE(path.parent.stat().st_mode) & 0o007 == 0


@pytest.mark.root
def test_the_socket_belongs_to_the_configured_group(tmp_path: Path) -> None:
    """Postfix's group may connect, others may not."""
    import grp

    group = grp.getgrall()[-1]
    path = tmp_path / "map.sock"
    with open_socket(parse(f"unix:{path}"), group=group.gr_name):
        assert path.stat().st_gid == group.gr_gid


def test_a_group_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The message tells which group is missing."""
    with pytest.raises(ListenError, match="there is no group 'nosuchgroup'"):
        open_socket(parse(f"unix:{tmp_path}/s"), group="nosuchgroup")


def test_a_group_that_may_not_be_given_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unprivileged daemon that is no member of it needs a folder that hands the group down."""

    def forbidden(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", forbidden)
    with pytest.raises(ListenError, match=f"install -d -o USER -g root -m 2750 {tmp_path}"):
        open_socket(Address(path=str(tmp_path / "s")), group="root")
    assert list(tmp_path.iterdir()) == []


def test_the_left_over_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    """A socket nobody listens on is no obstacle."""
    path = tmp_path / "map.sock"
    open_socket(parse(f"unix:{path}")).close()
    assert path.exists()
    with open_socket(parse(f"unix:{path}")), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    """Two daemons cannot take each other's socket by accident."""
    path = tmp_path / "map.sock"
    with (
        open_socket(parse(f"unix:{path}")),
        pytest.raises(ListenError, match="another process serves it"),
    ):
        open_socket(parse(f"unix:{path}"))


def test_taking_over_replaces_a_socket_in_use(tmp_path: Path) -> None:
    """The bypass gets new connections even while a hung daemon holds the old socket."""
    path = tmp_path / "map.sock"
    with (
        open_socket(parse(f"unix:{path}")) as old,
        open_socket(parse(f"unix:{path}"), take_over=True) as new,
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.connect(str(path))
        new.setblocking(True)
        accepted, _ = new.accept()
        accepted.close()
        with pytest.raises(BlockingIOError):
            old.accept()


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    """A wrong path in the configuration cannot delete somebody's file."""
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ListenError, match="no socket"):
        open_socket(parse(f"unix:{path}"))
    assert path.read_text() == "data"


def test_only_our_own_socket_is_taken_away(tmp_path: Path) -> None:
    """A daemon that ends late leaves the socket of the one that took over."""
    path = tmp_path / "map.sock"
    with open_socket(parse(f"unix:{path}")):
        ours = path.stat().st_ino
        with open_socket(parse(f"unix:{path}"), take_over=True):
            remove(str(path), ours)
            assert path.exists()
            remove(str(path), path.stat().st_ino)
            assert not path.exists()


def test_a_port_in_use_is_named() -> None:
    """The message has the address and the reason."""
    with open_socket(parse("inet:127.0.0.1:0")) as held:
        port = held.getsockname()[1]
        with pytest.raises(ListenError, match=f"inet:127.0.0.1:{port}: Address already in use"):
            open_socket(parse(f"inet:127.0.0.1:{port}"))


ACTIVATED = """
import os, sys
from policyd.serve.listen import inherited
os.environ["LISTEN_PID"] = str(os.getpid() if sys.argv[1] == "ours" else 1)
found = inherited(os.environ, os.getpid())
print({name: [s.getsockname() for s in found[name]] for name in sorted(found)})
print(sorted(key for key in os.environ if key.startswith("LISTEN_")))
print([os.get_inheritable(s.fileno()) for group in found.values() for s in group])
"""


def activated(tmp_path: Path, names: str, whose: str) -> list[str]:
    """A process that was started as systemd starts one: sockets from descriptor 3 on."""
    paths = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    listeners = [open_socket(parse(f"unix:{path}")) for path in paths]
    command = [sys.executable, "-c", ACTIVATED, whose]
    # the shell moves them to 3, 4, 5 without touching the ones it still needs
    moves = " ".join(f"{9 - at}<&{one.fileno()}" for at, one in enumerate(listeners))
    final = "3<&9 4<&8 5<&7 9<&- 8<&- 7<&-"
    script = f'exec {moves}; exec "$@" {final}'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *command],
        pass_fds=[one.fileno() for one in listeners],
        env={"PATH": os.environ["PATH"], "LISTEN_FDS": "3", "LISTEN_FDNAMES": names},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    for one in listeners:
        one.close()
    return done.stdout.splitlines()


def test_the_sockets_systemd_passes_are_found_by_name(tmp_path: Path) -> None:
    """Several sockets may share a name; children inherit neither sockets nor variables."""
    found, variables, inheritable = activated(tmp_path, "socketmap:policy:socketmap", "ours")
    draft = f".{{}}.{os.getpid()}"
    where = [str(tmp_path / draft.format(name)) for name in "abc"]
    assert found == str({"policy": [where[1]], "socketmap": [where[0], where[2]]})
    assert (variables, inheritable) == ("[]", "[False, False, False]")


def test_sockets_meant_for_another_process_are_not_touched(tmp_path: Path) -> None:
    """LISTEN_PID of somebody else means there is nothing for us."""
    assert activated(tmp_path, "socketmap:policy:http", "theirs")[0] == "{}"


@pytest.mark.parametrize(
    "environ", [{}, {"LISTEN_FDS": "x", "LISTEN_PID": "7"}, {"LISTEN_PID": "7"}]
)
def test_without_systemd_nothing_is_passed(environ: dict[str, str]) -> None:
    """Started by hand, there are no passed sockets."""
    assert inherited(environ, 7) == {}
