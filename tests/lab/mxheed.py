"""mxheed in the lab: started, stopped, killed and frozen like any other process.

Contract: runs from the checkout with contrib/postfix/mxheed.yaml plus what a test adds, by default
as an unprivileged user. Each start has a fresh state file unless told to keep it.
Failure: `LabError` with the end of its output when it does not become healthy.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from .errors import LabError
from .namespace import ENVIRONMENT, PYTHON, REPOSITORY

if TYPE_CHECKING:
    from .lab import Lab, Ran

__all__ = ["Mxheed"]

_HTTP = "http://127.0.0.1:9825"
_ENVIRONMENT = ENVIRONMENT | {"HOME": "/var/lib/mxheed"}
_SOCKETS = "/var/spool/postfix/mxheed"
_STATE = "/var/lib/mxheed"


class Mxheed:
    """One mxheed process (and its safe stand-in, `mxheed bypass`)."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.user = "mxheed"
        self.started_in = 0.0  # seconds the last start under the keeper took
        self.pid = 0  # of the daemon, inside the lab
        self._running: list[str] = []

    @property
    def output(self) -> str:
        """Everything it printed."""
        return (self._lab.directory / "log" / "mxheed.out").read_text()

    def start(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        user: str = "mxheed",
        keep_state: bool = False,
        seconds: float = 20.0,
    ) -> None:
        """Start and wait until it is healthy."""
        self.user = user
        self.prepare(keep_state=keep_state)
        self.configure(config or {})
        self.launch(seconds)

    def launch(self, seconds: float = 20.0, *, healthz: int = 200) -> None:
        """Start it as everything is, and wait until it is healthy (503: in trouble)."""
        (self._lab.directory / "log" / "mxheed.out").unlink(missing_ok=True)
        self.pid = self._spawn("mxheed", "run", "--config", "/run/mxheed.yaml")
        self._lab.until(lambda: self._up(healthz), f"/healthz says {healthz}", seconds)

    def keep(self, config: Mapping[str, Any] | None = None) -> None:
        """Start it under a stand-in for systemd (tests/lab/keeper.py), which keeps its sockets."""
        self.user = "mxheed"
        self.prepare()
        self.configure(config or {})
        command = [PYTHON, "-m", "policyd.cli", "run", "--config", "/run/mxheed.yaml"]
        keeper = [PYTHON, "-m", "tests.lab.keeper", self.user, *command]
        begin = time.monotonic()
        self._lab.call("spawn", name="keeper", command=keeper, user="root", env=_ENVIRONMENT)
        self._lab.until(lambda: self._lab.http(f"{_HTTP}/healthz")[0] == 200, "mxheed is healthy")
        self.started_in = time.monotonic() - begin

    def release(self) -> None:
        """End the stand-in and what it keeps."""
        self._lab.call("signal", name="keeper", number=signal.SIGKILL)
        self._lab.call("wait", name="keeper", timeout=10)
        self._lab.run("pkill", "-KILL", "-f", r"^\S+ -m policyd\.cli")
        self._lab.check("rm", "-rf", _SOCKETS, "/run/keeper.notify")

    def prepare(self, *, keep_state: bool = False) -> None:
        """The directories that an installation would make."""
        lab = self._lab
        if not keep_state:
            lab.check("rm", "-rf", _STATE)
        lab.check("install", "-d", "-o", self.user, "-g", "postfix", "-m", "2750", _SOCKETS)
        lab.check("install", "-d", "-o", self.user, "-m", "0750", _STATE, "/run/mxheed")

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write the configuration: the shipped one and these changes."""
        shipped = YAML(typ="safe").load(REPOSITORY / "contrib" / "postfix" / "mxheed.yaml")
        self._lab.check("tee", "/run/mxheed.yaml", text=json.dumps(_merge(shipped, config)))

    def bypass(self) -> None:
        """Start the responder that lets everything go, on the same sockets."""
        sockets = (f"--{hook}=unix:{_SOCKETS}/{hook}" for hook in ("socketmap", "policy"))
        self._spawn("bypass", "bypass", *sockets, "--group=postfix", "--end-hung")
        said = self._lab.directory / "log" / "bypass.out"
        self._lab.until(lambda: "nothing is paced" in said.read_text(), "bypass answers", 10)

    def cli(self, *arguments: str, text: str = "", user: str = "") -> Ran:
        """Run one command of mxheed's."""
        assigned = [f"{name}={value}" for name, value in _ENVIRONMENT.items()]
        return self._lab.run(
            "env", *assigned, PYTHON, "-m", "policyd.cli", *arguments,
            text=text, user=user or self.user,
        )  # fmt: skip

    def stop(self) -> None:
        """Ask everything that was started here to end; it must, within 10 s."""
        for name in self._running:
            if self._lab.call("ended", name=name) is None:
                self._lab.call("signal", name=name, number=signal.SIGCONT)
                self._lab.call("signal", name=name, number=signal.SIGTERM)
                self._lab.call("wait", name=name, timeout=10)
        self._running.clear()

    def kill(self) -> None:
        """kill -9."""
        self._lab.call("signal", name="mxheed", number=signal.SIGKILL)
        self._lab.call("wait", name="mxheed", timeout=10)
        self._running.remove("mxheed")

    def freeze(self) -> None:
        """Stop it the way a hung process is stopped: it keeps its sockets and says nothing."""
        self._lab.call("signal", name="mxheed", number=signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._lab.call("signal", name="mxheed", number=signal.SIGCONT)

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """All samples of /metrics by name and labels."""
        _, text = self._lab.http(f"{_HTTP}/metrics")
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def total(self, name: str, **labels: str) -> float:
        """The sum over all samples of that name that have these labels."""
        wanted = set(labels.items())
        return sum(
            value for (one, has), value in self.metrics().items() if one == name and wanted <= has
        )

    def throttle(self) -> Any:
        """What `mxheed throttle list` says."""
        return json.loads(self.cli("throttle", "list", "--json").out)

    def _up(self, healthz: int) -> bool:
        code = self._lab.call("ended", name="mxheed")
        if code is not None:
            raise LabError(f"mxheed ended with {code}: {self.output[-3000:]}")
        return self._lab.http(f"{_HTTP}/healthz")[0] == healthz

    def _spawn(self, name: str, *arguments: str) -> int:
        command = [PYTHON, "-m", "policyd.cli", *arguments]
        pid: int = self._lab.call(
            "spawn", name=name, command=command, user=self.user, env=_ENVIRONMENT
        )
        self._running.append(name)
        return pid


def _merge(base: Any, more: Mapping[str, Any]) -> Any:
    merged = dict(base)
    for key, value in more.items():
        known = merged.get(key)
        both = isinstance(known, dict) and isinstance(value, Mapping)
        merged[key] = _merge(known, value) if both else value
    return merged
