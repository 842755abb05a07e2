"""A lab as a test sees it: receivers, a Postfix, processes, all in a private world.

Contract: a `Lab` starts in a fraction of a second and needs root; `stop()` leaves nothing behind.
Calls block until done; `until` is the only place that waits. Receivers get an address of their own
and may be opened at any time.
Failure: `LabError`; its text says what was tried and what came back.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.patience import stretched

from . import namespace
from .errors import LabError
from .exim import Exim
from .mxheed import Mxheed
from .postfix import DEFAULT_FRAGMENTS, Flavour, Postfix
from .submission import Message

__all__ = ["Lab", "Ran", "ReceiverView"]

_NOISE = re.compile(r" (?:dis)?connect from |message-id=| client=|: removed|statistics:")


class Ran(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


class ReceiverView:
    """A scripted receiver, seen from a test."""

    def __init__(self, lab: Lab, name: str, mx: str, domains: tuple[str, ...]) -> None:
        self._lab = lab
        self.name, self.mx, self.domains = name, mx, domains
        self._events: list[dict[str, Any]] = []
        self.address = ""

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What it saw, in order; of one kind: connect, tls, rcpt, data, lost."""
        self._events += self._lab.call("events", name=self.name, since=len(self._events))
        return [event for event in self._events if kind in (None, event["kind"])]

    def taken(self) -> list[str]:
        """The recipients of the messages it took, one entry for each delivery."""
        done = (event for event in self.events("data") if event["reply"] == "250")
        return [recipient for event in done for recipient in event["recipients"]]

    def refused(self) -> list[dict[str, Any]]:
        """Its refusals, at any stage."""
        return [one for one in self.events() if one.get("reply", "2")[0] in "45"]

    def connections(self) -> int:
        """How often somebody connected."""
        return len(self.events("connect"))

    def play(self, kind: str, **parameters: Any) -> None:
        """Change its behaviour."""
        self._lab.call("behave", name=self.name, plays={"kind": kind} | parameters)


class Lab:
    """One private world."""

    def __init__(self, flavour: Flavour = "debian") -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mxheed-lab-"))
        self.directory.chmod(0o755)
        self.postfix = Postfix(self, flavour)
        self.exim = Exim(self)
        self.mxheed = Mxheed(self)
        self._agent = namespace.enter(self.directory)
        self._receivers: list[ReceiverView] = []
        self._opened = 0
        self._read()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process inside and remove the directory."""
        assert self._agent.stdin is not None
        assert self._agent.stdout is not None
        self._agent.stdin.close()
        self._agent.wait(10)
        self._agent.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Have the agent do something."""
        assert self._agent.stdin is not None
        self._agent.stdin.write(json.dumps({"call": name, "with": arguments}) + "\n")
        self._agent.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._agent.stdout is not None
        line = self._agent.stdout.readline()
        if not line:
            raise LabError(f"the lab is gone: {(self.directory / 'agent.err').read_text()}")
        answer = json.loads(line)
        if "error" in answer:
            raise LabError(answer["error"])
        return answer["value"]

    def run(self, *command: str, text: str = "", user: str = "root", timeout: float = 60) -> Ran:
        """Run a command inside."""
        return Ran(*self.call("run", command=command, text=text, user=user, timeout=timeout))

    def check(self, *command: str, text: str = "", user: str = "root") -> str:
        """Run a command that must succeed; its output."""
        ran = self.run(*command, text=text, user=user)
        if ran.code != 0:
            raise LabError(f"{' '.join(command)}: exit {ran.code}: {ran.out}{ran.err}")
        return ran.out

    def receiver(
        self,
        name: str,
        kind: str = "accept",
        *,
        domains: int | Sequence[str] = 1,
        mx: str | None = None,
        tls: bool = False,
        latency: float = 0.0,
        greeting: float = 0.0,
        address: str = "",
        **parameters: Any,
    ) -> ReceiverView:
        """Open a receiver: `domains` are names, or how many to invent."""
        self._opened += 1
        names = (
            tuple(f"d{number}.{name}.test" for number in range(domains))
            if isinstance(domains, int)
            else tuple(domains)
        )
        view = ReceiverView(self, name, mx or f"mx.{name}.test", names)
        view.address = address or f"127.0.1.{self._opened}"
        self.call(
            "receiver",
            name=name,
            mx=view.mx,
            domains=names,
            address=view.address,
            tls=tls,
            latency=latency,
            greeting=greeting,
            plays={"kind": kind} | parameters,
        )
        self._receivers.append(view)
        return view

    def close(self, view: ReceiverView) -> None:
        """Close one receiver; its names go with it."""
        self.call("close", name=view.name)
        self._receivers.remove(view)

    def publish(self, *records: str) -> None:
        """Publish names beside those of the receivers, in dnsmasq's words, until the reset."""
        self.call("publish", records=records)

    def configure(self) -> None:
        """Postfix with the fragments of contrib/postfix that everybody needs."""
        self.postfix.configure(*DEFAULT_FRAGMENTS)

    def reset(self) -> None:
        """Stop mxheed, close the receivers, empty the queue: the next test starts from nothing."""
        self.mxheed.stop()
        (self.directory / "log" / "bypass.out").unlink(missing_ok=True)
        for view in self._receivers:
            self.call("close", name=view.name)
        self._receivers.clear()
        self.publish()
        self.postfix.clear()
        for mailbox in (self.directory / "mail").iterdir():
            mailbox.unlink()

    def submit(
        self,
        recipients: Iterable[str | Sequence[str]],
        *,
        sender: str | Sequence[str] = "alice@lab.test",
        connections: int = 4,
        port: int = 25,
        host: str = "127.0.0.1",
    ) -> Counter[str]:
        """Submit one message for each entry, from one sender or in turn from each; counts replies.

        By their code.
        """
        replies = self.replies(
            recipients, sender=sender, connections=connections, port=port, host=host
        )
        return Counter(reply[:3] for reply in replies)

    def replies(
        self,
        recipients: Iterable[str | Sequence[str]],
        *,
        sender: str | Sequence[str] = "alice@lab.test",
        connections: int = 4,
        port: int = 25,
        host: str = "127.0.0.1",
    ) -> list[str]:
        """Submit one message for each entry; the reply that decided each."""
        senders = [sender] if isinstance(sender, str) else sender
        messages: list[Message] = [
            {
                "sender": senders[number % len(senders)],
                "recipients": [entry] if isinstance(entry, str) else list(entry),
                "subject": f"message {number}",
            }
            for number, entry in enumerate(recipients)
        ]
        replies: list[str] = self.call(
            "submit", messages=messages, connections=connections, port=port, host=host
        )
        return replies

    def http(self, url: str, method: str = "GET", body: str = "") -> tuple[int, str]:
        """One HTTP request from inside: status and body; status 0: nobody listens."""
        try:
            status, text = self.call("http", url=url, method=method, body=body)
        except LabError as error:
            return 0, str(error)
        return status, text

    def mailboxes(self) -> set[str]:
        """The local users who have mail."""
        return {path.name for path in (self.directory / "mail").iterdir()}

    @property
    def agent_pid(self) -> int:
        """The process that holds the lab's namespaces, as seen from outside."""
        return self._agent.pid

    def story(self, lines: int = 60) -> list[tuple[str, str]]:
        """The ends of all logs, for a test that failed."""
        told = [line for line in self.postfix.log() if not _NOISE.search(line)]
        texts = [("mail.log", told)]
        for path in sorted((self.directory / "log").glob("*.out")):
            texts.append((path.name, path.read_text("utf-8", "replace").splitlines()))
        return [(name, "\n".join(text[-lines:])) for name, text in texts]

    def until(self, condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
        """Wait until a condition holds: these seconds on a machine with nothing else to do."""
        began = time.monotonic()
        while not condition():
            waited = time.monotonic() - began
            if waited > stretched(seconds):
                raise LabError(f"after {waited:.0f} s still not so: {what}")
            time.sleep(0.05)
