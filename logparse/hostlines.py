"""Reads Postfix's words about a host that it could not speak with, out of a line that it is all of.

Contract: `trouble_of` takes the text behind the frame (and the queue id, if there is one): "connect
to …", "lost connection with …", "conversation with …". Failure: None for any other words.
"""

from __future__ import annotations

from logparse.events import HostTrouble, text_of
from logparse.framing import program_of
from logparse.reason import Relay, read

__all__ = ["trouble_of"]

_NOBODY = Relay()


def trouble_of(text: bytes, program: bytes, queue_id: bytes, when: float) -> HostTrouble | None:
    """The value of such a line."""
    service, agent = program_of(program)
    reading = read("deferred", "", text_of(text) + ")", agent, _NOBODY, False)
    host, address, _ = reading.relay
    if host is None or address is None or reading.stage is None:
        return None
    words = reading.reply
    return HostTrouble(
        when, "postfix", service, text_of(queue_id), host, address, reading.stage, words
    )
