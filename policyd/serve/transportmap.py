"""The map `transport`: a receiver's mail goes through a transport of its own.

Asked through `transport_maps` with the whole recipient address, by the queue manager, which
resolves one recipient at a time: an answer that waits stops all mail.

Contract: `OK TRANSPORT:` for a recipient whose receiver is known and has a transport; the next-hop
stays the recipient's domain. Otherwise `NOTFOUND `, at once; a domain that is not known yet is
handed to `wanted`, so that the next question finds it.
Failure: none; whatever is no address is `NOTFOUND `.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from policyd.serve.session import Session
from policyd.serve.socketmap import NOTFOUND

__all__ = ["TransportMap"]


class TransportMap:
    """The handler; `receiver_of` answers from memory, None for a domain not known yet."""

    def __init__(
        self,
        transports: Mapping[str, str],
        receiver_of: Callable[[str], str | None],
        wanted: Callable[[str], None],
    ) -> None:
        self._answers = {name: f"OK {word}:".encode() for name, word in transports.items()}
        self._receiver_of = receiver_of
        self._wanted = wanted

    def __call__(self, key: bytes, session: Session, pool: str) -> bytes:
        """Answer for one recipient address."""
        if not self._answers:
            return NOTFOUND
        # a quoted local part may have an @ of its own; Postfix does not fold the case for us
        domain = key.rpartition(b"@")[2].decode("utf-8", "replace").rstrip(".").lower()
        if not domain or b"@" not in key:
            return NOTFOUND
        receiver = self._receiver_of(domain)
        if receiver is None:
            self._wanted(domain)
            return NOTFOUND
        return self._answers.get(receiver, NOTFOUND)
