"""Mail that a receiver is closed to: is a policy request about it, and what happens then?

Contract: built once from the settings; `ClosedClasses.first` gives the first entry, in the order of
the configuration, whose every given list matches. Actions are spelled out as Postfix wants them;
`{receiver}` and `{retry}` are filled in by the caller.
Failure: none; the settings have refused what makes no sense.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from policyd.serve.policy import Request
from policyd.serve.settings import ClosedSettings, SubmissionSettings

__all__ = ["ClosedClass", "ClosedClasses", "PolicyQuestion", "compile_classes"]

ClassOf = Callable[[str, str], str]  # of a sender domain and a recipient domain

_PRESSURE = "4.7.1 {receiver} takes no mail from here at the moment; retry={retry}"
_CLOSED = "{receiver} is closed to this class of mail"


class PolicyQuestion:
    """A request together with what we know about its recipient; attributes are read when needed."""

    __slots__ = ("_class_of", "_request", "domain", "receiver", "state")

    def __init__(
        self, request: Request, domain: str, receiver: str, state: str, class_of: ClassOf
    ) -> None:
        self._request = request
        self._class_of = class_of
        self.domain = domain
        self.receiver = receiver
        self.state = state

    def value(self, name: bytes) -> str:
        """One attribute, in lower case."""
        return self._request.get(name).decode("utf-8", "replace").lower()

    @property
    def sender_domain(self) -> str:
        """Where the mail comes from."""
        return self.value(b"sender").rpartition("@")[2]

    @property
    def mail_class(self) -> str:
        """Its class in `pacing.classes`."""
        return self._class_of(self.sender_domain, self.domain)


class _Names:
    """A list of addresses, domains and `.domains`, looked up by label instead of one by one."""

    __slots__ = ("_exact", "_parents")

    def __init__(self, names: Sequence[str]) -> None:
        lowered = [name.lower() for name in names]
        self._exact = frozenset(name.lstrip(".") for name in lowered)
        self._parents = frozenset(name[1:] for name in lowered if name.startswith("."))

    def has(self, address: str) -> bool:
        """Whether the address, its domain, or a parent of it is listed; "" is the sender `<>`."""
        domain = address.rpartition("@")[2]
        if not address:
            return "<>" in self._exact
        if address in self._exact or domain in self._exact:
            return True
        while domain:
            if domain in self._parents:
                return True
            domain = domain.partition(".")[2]
        return False


@dataclass(frozen=True)
class ClosedClass:
    """One class: when it is meant, and the action as Postfix reads it."""

    action: bytes
    whole: bool  # touches the whole message
    settings: ClosedSettings

    @classmethod
    def of(cls, settings: ClosedSettings) -> ClosedClass:
        """A class from its settings."""
        action = _action(settings.action, settings.text).encode()
        return cls(action, action.startswith((b"HOLD", b"FILTER")), settings)

    @classmethod
    def of_pressure(cls, settings: SubmissionSettings) -> ClosedClass | None:
        """What a suspended receiver means for new mail; None: nothing."""
        if settings.suspended == "dunno":
            return None
        only = ClosedSettings(senders=settings.senders, contexts=settings.contexts)
        return cls(b"DEFER_IF_PERMIT " + _PRESSURE.encode(), False, only)

    @cached_property
    def _senders(self) -> _Names:
        return _Names(self.settings.senders)

    @cached_property
    def _domains(self) -> _Names:
        return _Names(self.settings.domains)

    @cached_property
    def _users(self) -> frozenset[str]:
        return frozenset(user.lower() for user in self.settings.users)

    @cached_property
    def _contexts(self) -> frozenset[str]:
        return frozenset(context.lower() for context in self.settings.contexts)

    def meets(self, said: PolicyQuestion) -> bool:
        """Whether every list that is given matches."""
        given = self.settings
        if given.when != "always" and said.state != given.when:
            return False
        if given.receivers and said.receiver not in given.receivers:
            return False
        if given.domains and not self._domains.has(f"@{said.domain}"):
            return False
        if given.senders and not self._senders.has(said.value(b"sender")):
            return False
        if given.classes and said.mail_class not in given.classes:
            return False
        if given.users and said.value(b"sasl_username") not in self._users:
            return False
        return not given.contexts or said.value(b"policy_context") in self._contexts


@dataclass(frozen=True)
class ClosedClasses:
    """All classes, in order."""

    classes: tuple[ClosedClass, ...]
    whole: bool  # any of them touches whole messages

    def __bool__(self) -> bool:
        return bool(self.classes)

    def first(self, said: PolicyQuestion) -> ClosedClass | None:
        """The first class that is meant."""
        return next((found for found in self.classes if found.meets(said)), None)


def compile_classes(settings: Mapping[str, ClosedSettings]) -> ClosedClasses:
    """All classes of a configuration."""
    classes = tuple(ClosedClass.of(closed) for closed in settings.values())
    return ClosedClasses(classes, any(found.whole for found in classes))


def _action(words: str, text: str) -> str:
    verb, _, rest = words.partition(" ")
    said = text or _CLOSED
    return {
        "defer": f"DEFER_IF_PERMIT 4.7.1 {said}; retry={{retry}}",
        "reject": f"REJECT 5.7.1 {said}",
        "hold": f"HOLD {text}".strip(),
        "filter": f"FILTER {rest}",
        "warn": f"WARN {said}",
        "dunno": "DUNNO",
    }[verb]
