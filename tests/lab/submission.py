"""Hands messages to the lab's own smtpd, quickly and over several connections.

Contract: `submit` returns the reply that decided each message, in the order given: the reply to the
end of DATA, or of the first command that was refused. Nothing is retried.
Failure: a connection that breaks raises; a refusal is a value.
"""

from __future__ import annotations

import asyncio
from typing import TypedDict

__all__ = ["Message", "submit"]


class Message(TypedDict):
    """One message to submit."""

    sender: str
    recipients: list[str]
    subject: str


async def submit(messages: list[Message], connections: int, host: str, port: int) -> list[str]:
    """Submit all messages over that many connections."""
    replies = [""] * len(messages)
    todo = list(enumerate(messages))[::-1]

    async def work() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        await _reply(reader)
        await _ask(reader, writer, "EHLO client.test")
        while todo:
            number, message = todo.pop()
            replies[number] = await _one(reader, writer, message)
        await _ask(reader, writer, "QUIT")
        writer.close()

    await asyncio.gather(*(work() for _ in range(min(connections, len(messages)))))
    return replies


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: Message) -> str:
    commands = [f"MAIL FROM:<{message['sender']}>"]
    commands += [f"RCPT TO:<{recipient}>" for recipient in message["recipients"]]
    writer.write("".join(f"{command}\r\n" for command in [*commands, "DATA"]).encode())
    replies = [await _reply(reader) for _ in range(len(commands) + 1)]
    if not replies[-1].startswith("354"):
        refused = next(reply for reply in replies if not reply.startswith("2"))
        await _ask(reader, writer, "RSET")
        return refused
    # a recipient was refused, others not: the message goes on for those
    return await _ask(reader, writer, f"Subject: {message['subject']}\r\n\r\nhello\r\n.")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str) -> str:
    writer.write(f"{text}\r\n".encode())
    return await _reply(reader)


async def _reply(reader: asyncio.StreamReader) -> str:
    lines = []
    while True:
        line = (await reader.readuntil(b"\n")).decode("utf-8", "replace").rstrip()
        lines.append(line)
        if line[3:4] != "-":
            return "\n".join(lines)
