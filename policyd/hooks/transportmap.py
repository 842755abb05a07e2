"""The map `transport`: mail leaves by its receiver's own transport, or by one for few recipients.

Asked through `transport_maps` with the whole recipient address, by the queue manager, which
resolves one recipient at a time: an answer that waits stops all mail. A message that was put off is
resolved anew when it is let go, so what was learnt meanwhile holds for it, too.

Contract: `OK TRANSPORT:` for a recipient whose receiver is known and has a transport, or takes
fewer recipients a message than a plain transport sends; the next-hop stays the recipient's domain.
Otherwise `NOTFOUND `, at once; `receiver_of` has a domain that is not known yet looked up, so that
a later question finds it. Only transports that the configuration names are ever answered: Postfix
puts mail off for one that master.cf lacks.
Failure: none; whatever is no address is `NOTFOUND `.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

from policyd.serve.session import Session
from policyd.serve.socketmap import NOTFOUND

__all__ = ["RecipientTransports", "TransportMap", "recipient_transport"]


def recipient_transport(recipients: int) -> str:
    """The name of the transport that sends to so many recipients at once."""
    return f"mxheed-r{recipients}"


class RecipientTransports:
    """The transports with a recipient limit, and who needs which.

    `limit_of`: receiver → recipients it takes a message, None for as many as come; `usual`: what a
    plain transport sends to at once.
    """

    def __init__(
        self, sizes: Sequence[int], limit_of: Callable[[str], int | None], usual: int
    ) -> None:
        self._sizes = sorted(sizes)
        self._answers = [f"OK {recipient_transport(size)}:".encode() for size in self._sizes]
        self._limit_of = limit_of
        self._usual = usual

    def __bool__(self) -> bool:
        return bool(self._sizes)

    def answer(self, receiver: str) -> bytes:
        """The largest transport that fits; the smallest where none does."""
        if not self._sizes:
            return NOTFOUND
        limit = self._limit_of(receiver)
        if limit is None or limit >= self._usual:
            return NOTFOUND
        return self._answers[max(0, bisect_right(self._sizes, limit) - 1)]


class TransportMap:
    """The handler; `receiver_of` answers from memory, None for a domain not known yet."""

    def __init__(
        self,
        transports: Mapping[str, str],
        receiver_of: Callable[[str], str | None],
        recipients: RecipientTransports,
    ) -> None:
        self._answers = {name: f"OK {word}:".encode() for name, word in transports.items()}
        self._receiver_of = receiver_of
        self._recipients = recipients

    def ask(self, key: bytes, session: Session, pool: str) -> bytes:
        """Answer for one recipient address."""
        if not (self._answers or self._recipients):
            return NOTFOUND
        # a quoted local part may have an @ of its own; Postfix does not fold the case for us
        domain = key.rpartition(b"@")[2].decode("utf-8", "replace").rstrip(".").lower()
        if not domain or b"@" not in key:
            return NOTFOUND
        receiver = self._receiver_of(domain)
        if receiver is None:
            return NOTFOUND
        return self._answers.get(receiver) or self._recipients.answer(receiver)
