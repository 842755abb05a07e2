"""What Postfix says of itself: its parameters, its services, whether it runs.

Contract: reads only, by Postfix's own `postconf` and `postfix status`.
Failure: `PostconfError` with Postfix's words, or where there is no Postfix.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from policyd.errors import MxheedError

__all__ = ["PostconfError", "Service", "listed_directories", "parameters", "running", "services",
           "written"]  # fmt: skip

# where the machine's own main.cf lists the config directories that others may name
_DIRECTORIES = ("config_directory", "alternate_config_directories", "multi_instance_directories")
_TIMEOUT = 20.0  # seconds; a table behind a parameter may hang


class PostconfError(MxheedError):
    """Postfix could not be asked."""


class Service(NamedTuple):
    """One line of master.cf."""

    name: str
    kind: str  # "inet", "unix"…
    chroot: bool
    command: str  # "smtp", "smtpd"…
    options: Mapping[str, str]  # its -o overrides


def parameters(directory: str = "", *names: str) -> dict[str, str]:
    """Parameters of main.cf, `$name` expanded."""
    listing = _run("postconf", *_of(directory), "-x", *names)
    lines = (line.partition("=") for line in listing.splitlines())
    return {name.rstrip(): value.lstrip() for name, _, value in lines}


def written(directory: str, name: str) -> str:
    """One parameter as main.cf has it, `$name` not expanded."""
    return " ".join(_run("postconf", *_of(directory), "-h", name).split())


def services(directory: str = "") -> Iterator[Service]:
    """The lines of master.cf with their overrides."""
    options: dict[str, dict[str, str]] = {}
    for line in _run("postconf", *_of(directory), "-Px").splitlines():
        path, _, value = line.partition(" = ")
        service, _, parameter = path.removesuffix(" =").rpartition("/")
        options.setdefault(service, {})[parameter] = value
    for line in _run("postconf", *_of(directory), "-M").splitlines():
        name, kind, _private, _unprivileged, chroot, _wakeup, _limit, command, *_ = line.split()
        yield Service(name, kind, chroot == "y", command, options.get(f"{name}/{kind}", {}))


def running(directory: str = "") -> bool | None:
    """Whether its master runs; None: only root is told."""
    if os.geteuid() != 0:
        return None
    try:
        _run("postfix", *_of(directory), "status")
    except PostconfError:
        return False
    return True


def listed_directories() -> frozenset[str]:
    """The config directories that the machine's own main.cf lets others name."""
    return frozenset(" ".join(parameters("", *_DIRECTORIES).values()).split())


def _of(directory: str) -> tuple[str, ...]:
    return ("-c", directory) if directory else ()


def _run(*command: str) -> str:
    environment = {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin", "LC_ALL": "C"}
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=True, timeout=_TIMEOUT
        )
    except FileNotFoundError:
        raise PostconfError(f"there is no {command[0]}: is Postfix installed here?") from None
    except subprocess.TimeoutExpired:
        raise PostconfError(f"{' '.join(command)} did not end in {_TIMEOUT:g} s") from None
    except (subprocess.CalledProcessError, OSError) as wrong:
        words = getattr(wrong, "stderr", "").strip() or str(wrong)
        raise PostconfError(f"{' '.join(command)}: {words}") from wrong
    return ran.stdout
