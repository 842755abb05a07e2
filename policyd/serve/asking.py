"""The other end of the control API: one request to the running daemon over its unix socket.

Contract: standard library only. `ask` returns the decoded answer.
Failure: `ControlError` when no daemon answers there, or with the daemon's own words of refusal.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any

from policyd.errors import ControlError

__all__ = ["ask"]

_PATIENCE = 5.0


class _Line(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_PATIENCE)
        self.sock.connect(self._path)


def ask(path: str, method: str, target: str, arguments: Mapping[str, Any] | None = None) -> Any:
    """One request; `arguments` travel as a JSON object."""
    line = _Line(path)
    try:
        line.request(method, target, json.dumps(arguments) if arguments is not None else None)
        answer = line.getresponse()
        value = json.loads(answer.read())
    except TimeoutError:
        raise ControlError(f"the daemon at {path} does not answer; is it hanging?") from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(f"no daemon listens at {path}; is mxheed running?") from None
    except PermissionError:
        raise ControlError(f"you may not use {path}; its group may (serve.control_group)") from None
    except (OSError, http.client.HTTPException, ValueError) as wrong:
        raise ControlError(f"the daemon at {path} gave no usable answer: {wrong}") from wrong
    finally:
        line.close()
    if answer.status != 200:
        raise ControlError(
            str(value.get("error", value)) if isinstance(value, dict) else str(value)
        )
    return value
