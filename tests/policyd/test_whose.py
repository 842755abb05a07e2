"""Which message a delivery agent has locked: seen from outside, or not told at all."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from policyd.hooks.whose import Whose
from policyd.serve.session import Session
from policyd.serve.socketmap import NOTFOUND, SocketmapEndpoint

HOLDER = (
    "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_SH); print(1); input()"
)
LINE = "{}: FLOCK  ADVISORY  {} {} 00:2f:{} 0 EOF\n"


def listing(path: Path, *rows: tuple[str, int, int]) -> Path:
    """A list of locks: their kind, process and inode."""
    path.write_text("".join(LINE.format(n, *row) for n, row in enumerate(rows, 1)))
    return path


def test_the_lock_of_another_process_tells_its_message(tmp_path: Path) -> None:
    """As smtp(8) locks its queue file; another file is another message, none is none."""
    seen = []
    whose = Whose(lambda: 0.0)
    for name in ("one", "two"):
        (tmp_path / name).touch()
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path / name)], stdin=-1, stdout=-1
        ) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            seen.append(whose(Session(pid=holder.pid)))
            assert whose(Session(pid=holder.pid)) == seen[-1]
            holder.communicate(b"\n")
        assert str(seen[-1]).endswith(f":{(tmp_path / name).stat().st_ino}")
    assert seen[0] != seen[1]
    assert whose(Session(pid=os.getpid())) is None


def test_what_is_not_one_shared_lock_of_that_process_tells_nothing(tmp_path: Path) -> None:
    """Other processes' locks, exclusive ones, and a process with two."""
    path = listing(
        tmp_path / "locks", ("READ", 17, 100), ("WRITE", 7, 101), ("READ", 8, 102), ("READ", 8, 7)
    )
    path.write_text(path.read_text() + "5: -> FLOCK  ADVISORY  READ 7 00:2f:9 0 EOF\nnonsense 7\n")
    whose = Whose(lambda: 0.0, locks=path)
    assert [whose(Session(pid=pid)) for pid in (7, 8, 0, 17)] == [None, None, None, "00:2f:100"]


def test_where_nothing_can_be_seen_nothing_is_told(tmp_path: Path) -> None:
    """A system without a list of locks."""
    assert Whose(lambda: 0.0, locks=tmp_path / "none")(Session(pid=7)) is None


def test_only_so_many_looks_a_second(tmp_path: Path) -> None:
    """A flood of holds does not read the whole list each time."""
    now = 0.0
    whose = Whose(lambda: now, most=2, locks=listing(tmp_path / "locks", ("READ", 7, 5)))
    assert [bool(whose(Session(pid=7))) for _ in range(4)] == [True, True, False, False]
    now = 1.0
    assert whose(Session(pid=7))


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_a_session_knows_its_process_if_that_can_be_known(tmp_path: Path, kind: str) -> None:
    """A unix socket's peer is known, a TCP client is not."""
    seen: list[int] = []

    def answer(key: bytes, session: Session, pool: str) -> bytes:
        seen.append(session.pid)
        return NOTFOUND

    async def scene() -> None:
        endpoint = SocketmapEndpoint({"mx": answer}, clock=lambda: 0.0)
        loop = asyncio.get_running_loop()
        if kind == "unix":
            server = await loop.create_unix_server(endpoint.protocol, str(tmp_path / "socket"))
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "socket"))
        else:
            server = await loop.create_server(endpoint.protocol, "127.0.0.1")
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"4:mx x,")
        await reader.readexactly(len(b"9:NOTFOUND ,"))
        writer.close()
        server.close()

    asyncio.run(scene())
    assert seen == [os.getpid() if kind == "unix" else 0]
