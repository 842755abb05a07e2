"""Classes of mail: which class a message belongs to, and its share.

Contract: pure; the first class that names the sender's domain (or a parent of it) or the
recipient's domain is the message's; everything else is the class "" with share 1.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping

from policyd.throttle.settings.pacing import MailClass

__all__ = ["MailClasses"]


class MailClasses:
    """The configured classes, looked up by sender and recipient domain."""

    def __init__(self, classes: Mapping[str, MailClass]) -> None:
        self._classes = classes
        self._senders: dict[str, str] = {}
        self._domains: dict[str, str] = {}
        for name, klass in classes.items():
            for sender in klass.senders:
                self._senders.setdefault(sender.lower().lstrip("."), name)
            for domain in klass.domains:
                self._domains.setdefault(domain.lower().lstrip("."), name)

    def of(self, sender: str, domain: str) -> str:
        """The class of mail from this sender domain to this recipient domain."""
        if self._senders and sender:
            name = sender
            while name:
                if found := self._senders.get(name):
                    return found
                name = name.partition(".")[2]
        return self._domains.get(domain, "") if self._domains else ""

    def share(self, name: str) -> float:
        """A class's weight."""
        klass = self._classes.get(name)
        return klass.share if klass else 1.0
