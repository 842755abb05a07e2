"""Builds Postfix log lines for the tests, field by field."""

from __future__ import annotations

HEAD = "Nov 23 04:05:06 mx1 postfix/smtp[4711]: "
NOW = 1_795_500_000.0  # 2026-11-24 06:00 UTC


def record(
    text: str = "250 2.0.0 Ok: queued as 9C1B2",
    *,
    to: str = "ann@example.net",
    orig_to: str | None = None,
    relay: str = "mx.example.net[192.0.2.10]:25",
    extra: str = "",
    delays: str = "0.07/0.01/0.6/0.72",
    delay: str = "1.4",
    tls: str = "",
    dsn: str = "2.0.0",
    status: str = "sent",
    queue_id: str = "3A5444167F",
    close: str = ")",
) -> str:
    """The text of a delivery record."""
    orig = f", orig_to=<{orig_to}>" if orig_to is not None else ""
    return (
        f"{queue_id}: to=<{to}>{orig}, relay={relay}{extra}, delay={delay}, delays={delays}{tls}, "
        f"dsn={dsn}, status={status} ({text}{close}"
    )


def line(text: str, head: str = HEAD) -> bytes:
    """A log line."""
    return (head + text).encode("utf-8", "surrogateescape") + b"\n"


def said(reply: str, command: str = "RCPT TO", host: str = "mx.example.net[192.0.2.10]") -> str:
    """Postfix's words around a remote reply."""
    return f"host {host} said: {reply} (in reply to {command} command)"
