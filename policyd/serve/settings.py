"""Where mxheed can be asked, and what the hooks may answer.

Length: each setting is told in its own words, and the sockets in one place.
Contract: frozen values; the defaults need no privileges, everything listens on the loopback. An
address is `inet:HOST:PORT` or `unix:/path`. Failure: none; `listen.parse` refuses bad addresses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from policyd.errors import ListenError
from policyd.serve.listen import parse
from policyd.serve.paths import BESIDE
from policyd.settings.units import Duration

__all__ = ["ClosedSettings", "ServeSettings", "StatusSettings", "SubmissionSettings"]

_ACTION = re.compile(r"defer|reject|hold|warn|dunno|filter [!-~]+:[ -~]*")


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """The socketmap `status`: limits and blocks that a receiver speaks as 5yz stay in the queue."""

    enabled: bool = field(
        default=True, metadata={"doc": "Turn a permanent refusal that is really a limit into 4yz."}
    )
    longest: Duration = field(
        default=172800.0,
        metadata={
            "doc": "For at most this long per receiver and rule; then the refusal bounces as it "
            "came. Postfix's queue lifetime bounds each message besides.",
            "min": 0,
            "max": 31_622_400,
        },
    )
    blocked: Duration = field(
        default=14400.0,
        metadata={
            "doc": "A block of our address spoken as 5yz that passes: for at most this long per "
            "message (per receiver and rule, where the message cannot be seen).",
            "min": 0,
            "max": 31_622_400,
        },
    )
    quiet: Duration = field(
        default=21600.0,
        metadata={
            "doc": "After so long without such a refusal the time above starts anew.",
            "min": 1,
            "max": 31_622_400,
        },
    )


@dataclass(frozen=True, slots=True)
class ClosedSettings:
    """Mail that a receiver is closed to. Every list that is given must match."""

    receivers: tuple[str, ...] = field(
        default=(), metadata={"doc": "Receivers by id, such as `google`; empty: all."}
    )
    domains: tuple[str, ...] = field(
        default=(),
        metadata={"doc": "Recipient domains, `.example.org` with those below; empty: all."},
    )
    senders: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "Envelope senders: an address, a domain, `.example.org` with those below, or "
            "`<>`; empty: all."
        },
    )
    classes: tuple[str, ...] = field(
        default=(),
        metadata={"doc": "Classes of mail in `pacing.classes`, by their names; empty: all mail."},
    )
    users: tuple[str, ...] = field(
        default=(), metadata={"doc": "SASL user names of the submitting client; empty: all."}
    )
    contexts: tuple[str, ...] = field(
        default=(), metadata={"doc": "Values of Postfix's policy_context; empty: all."}
    )
    when: Literal["always", "slowed", "suspended"] = field(
        default="always",
        metadata={"doc": "Always, or only while the receiver is in this throttle state."},
    )
    action: str = field(
        default="defer",
        metadata={
            "doc": "`defer`, `reject`, `hold`, `filter TRANSPORT:DESTINATION`, `warn` or `dunno`. "
            "Hold and filter touch the whole message, so they wait until every recipient of the "
            "message is known to be meant."
        },
    )
    text: str = field(
        default="", metadata={"doc": "Words for the reply, in printable ASCII; empty: ours."}
    )

    def __post_init__(self) -> None:
        if not _ACTION.fullmatch(self.action):
            raise ValueError(
                f"no action {self.action!r}; one of defer, reject, hold, warn, dunno, "
                "filter TRANSPORT:DESTINATION"
            )
        if not self.text.isascii() or (self.text and not self.text.isprintable()):
            raise ValueError("text must be printable ASCII on one line")


@dataclass(frozen=True, slots=True)
class SubmissionSettings:
    """The policy service: back-pressure where mail comes in."""

    suspended: Literal["defer", "dunno"] = field(
        default="defer",
        metadata={
            "doc": "What new mail to a suspended receiver gets: `defer` (450 with a `retry=` time) "
            "or `dunno` (let it into the queue)."
        },
    )
    senders: tuple[str, ...] = field(
        default=(),
        metadata={"doc": "Only for these envelope senders (as in `closed`); empty: for all."},
    )
    contexts: tuple[str, ...] = field(
        default=(), metadata={"doc": "Only for these values of policy_context; empty: for all."}
    )
    longest: Duration = field(
        default=3600.0,
        metadata={
            "doc": "The longest `retry=` time ever told to a client.",
            "min": 1,
            "max": 604_800,
        },
    )
    closed: Mapping[str, ClosedSettings] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={
            "doc": "Mail that receivers are closed to, by a name of your choice. The first entry "
            "that matches decides."
        },
    )


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The sockets."""

    socketmap: tuple[str, ...] = field(
        default=("inet:127.0.0.1:9826",),
        metadata={
            "restart": True,
            "doc": "Where Postfix asks the maps `mx`, `status` and `transport`.",
        },
    )
    policy: tuple[str, ...] = field(
        default=("inet:127.0.0.1:9827",),
        metadata={
            "restart": True,
            "doc": "Where Postfix asks the policy service (check_policy_service).",
        },
    )
    http: tuple[str, ...] = field(
        default=("inet:127.0.0.1:9825",),
        metadata={
            "restart": True,
            "doc": "Where the status page, /metrics, /healthz and /api/state are.",
        },
    )
    control: str = field(
        default="",
        metadata={
            "restart": True,
            "doc": "The unix socket of `mxheed throttle` and `off`. Empty: `control.sock` in the "
            "first of these that the daemon may write to: systemd's runtime directory, "
            "`/run/mxheed`, `$XDG_RUNTIME_DIR/mxheed`, `~/.local/state/mxheed`.",
        },
    )
    group: str = field(
        default="",
        metadata={
            "restart": True,
            "doc": "The group that may use the unix sockets of the hooks, such as `postfix`.",
        },
    )
    exim: tuple[str, ...] = field(
        default=(BESIDE,),
        metadata={
            "restart": True,
            "doc": "Where Exim asks (`${readsocket}`, docs/exim.md). `beside`: the unix socket "
            "`exim` in the control socket's directory.",
        },
    )
    alive: str = field(
        default="",
        metadata={
            "restart": True,
            "doc": "The file that is touched each second, so that Exim does not ask a daemon that "
            "hangs. Empty: `alive` in the control socket's directory.",
        },
    )
    exim_group: str = field(
        default="",
        metadata={
            "restart": True,
            "doc": "The group that may use the unix sockets of `exim`, such as `Debian-exim`. "
            "Exim asks its gate as root, who always may.",
        },
    )
    mode: str = field(
        default="0660",
        metadata={"restart": True, "doc": "The mode of the unix sockets of the hooks, in octal."},
    )
    control_group: str = field(
        default="",
        metadata={
            "restart": True,
            "doc": "A group that may use the control socket too (mode 0660).",
        },
    )
    max_connections: int = field(
        default=4096,
        metadata={
            "restart": True,
            "doc": "Connections per hook over TCP, and as many over unix sockets. For one more, "
            "one that asks nothing makes way; if all ask, it is closed at once.",
            "min": 1,
            "max": 100_000,
        },
    )
    max_per_peer: int = field(
        default=1024,
        metadata={
            "restart": True,
            "doc": "Of these, for one address (not on the loopback) or one local process.",
            "min": 1,
            "max": 100_000,
        },
    )
    http_connections: int = field(
        default=64,
        metadata={
            "restart": True,
            "doc": "Connections to page and metrics at a time.",
            "min": 1,
            "max": 10_000,
        },
    )
    http_hosts: tuple[str, ...] = field(
        default=(),
        metadata={
            "restart": True,
            "doc": "Names by which page and metrics may be asked, as in a browser's address bar or "
            "Prometheus's target, besides numbers and `localhost`. Another name is answered 421: "
            "it may be a stranger's that points here.",
        },
    )
    may_fail: bool = field(
        default=False,
        metadata={
            "restart": True,
            "doc": "Let maps answer TEMP, which stops mail. Only for experiments.",
        },
    )
    transports: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={
            "doc": "The map `transport`: receiver to the name of a transport in master.cf, such "
            "as `google: mx-google`. The next-hop stays as it is."
        },
    )
    recipient_limits: tuple[int, ...] = field(
        default=(),
        metadata={
            "doc": "The map `transport`: recipients per message for which master.cf has a "
            "transport `mxheed-rN`, such as `[1, 2, 5, 10, 20]`. A receiver that takes fewer than "
            "`pacing.recipients` is sent to by the largest that fits. Empty: none.",
            "min": 1,
            "max": 100_000,
        },
    )
    status: StatusSettings = StatusSettings()
    submission: SubmissionSettings = SubmissionSettings()

    def __post_init__(self) -> None:
        asked = (one for one in self.exim if one != BESIDE)
        for text in (*self.socketmap, *self.policy, *self.http, *asked):
            try:
                parse(text)
            except ListenError as wrong:
                raise ValueError(str(wrong)) from None
        if self.control and not self.control.removeprefix("unix:").startswith("/"):
            raise ValueError(f"control must be the path of a socket, /…, not {self.control!r}")
        if not re.fullmatch("0?[0-7]{3}", self.mode):
            raise ValueError(f"mode must be three octal digits such as 0660, not {self.mode!r}")
