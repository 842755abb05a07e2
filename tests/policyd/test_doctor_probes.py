"""`mxheed doctor` asks our sockets a question, at whatever address Postfix would."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from policyd.doctor.probes import probe
from policyd.doctor.values import Hook
from tests.policyd.test_serve_bypass import bypassing, running, until


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"])
def test_a_responder_is_heard_over_every_kind_of_address(host: str, tmp_path: Path) -> None:
    """IPv4, IPv6, a name."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hook = Hook("mx", "smtp_dns_reply_filter", f"inet:{host}:{port}")
    with running(*bypassing(f"--socketmap=inet:127.0.0.1:{port}")) as process:
        until(process, "NOTFOUND")
        found = probe(hook, (), str(tmp_path), "root")
    assert found.error == ""
    assert found.reply.startswith("NOTFOUND")
