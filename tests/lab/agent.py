"""The one process inside a lab that a test talks to: receivers, names, processes, submission.

Contract: reads requests as JSON lines (`{"call": NAME, "with": {…}}`) from standard input, one
at a time, and writes one JSON line for each: `{"value": …}` or `{"error": TEXT}`. Ends at end of
file, and with it the whole lab.
Failure: whatever a call raises is its answer's "error"; the agent goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import behaviour, namespace, submission
from .receiver import Receiver

__all__ = ["Agent", "main"]


class Agent:
    """The calls; each public method is one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._receivers: dict[str, Receiver] = {}
        self._domains: dict[str, str] = {}  # mail domain → MX host
        self._more: list[str] = []  # further records, as dnsmasq writes them
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._certificate: ssl.SSLContext | None = None

    async def receiver(
        self,
        name: str,
        mx: str,
        domains: Sequence[str],
        address: str,
        tls: bool,
        latency: float,
        greeting: float,
        plays: dict[str, Any],
    ) -> None:
        """Open a receiver and publish its names."""
        context = await self._tls() if tls else None
        made = Receiver(mx, address, behaviour.make(**plays), context, latency, greeting)
        await made.start()
        self._receivers[name] = made
        self._domains |= dict.fromkeys(domains, mx)
        await self._names()

    async def publish(self, records: list[str]) -> None:
        """Publish these records, in dnsmasq's words, instead of those published so before."""
        self._more = records
        await self._names()

    async def behave(self, name: str, plays: dict[str, Any]) -> None:
        """Give a receiver another behaviour."""
        self._receivers[name].behaviour = behaviour.make(**plays)

    async def events(self, name: str, since: int = 0) -> list[dict[str, Any]]:
        """What a receiver saw, from the event with that number on."""
        return self._receivers[name].events[since:]

    async def close(self, name: str) -> None:
        """Close a receiver; its names go with it when the next one opens."""
        gone = self._receivers.pop(name)
        await gone.stop()
        self._domains = {domain: mx for domain, mx in self._domains.items() if mx != gone.name}

    async def run(
        self, command: list[str], text: str = "", user: str = "root", timeout: float = 60.0
    ) -> tuple[int, str, str]:
        """Run a command to its end."""
        process = await asyncio.create_subprocess_exec(
            *_as(user), *command, stdin=-1, stdout=-1, stderr=-1
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(text.encode()), timeout)
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode is not None
        return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    async def spawn(self, name: str, command: list[str], user: str, env: dict[str, str]) -> int:
        """Start a process that stays; its output goes to NAME.out in the log directory."""
        with (self._directory / "log" / f"{name}.out").open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *_as(user),
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | env,
                cwd="/",
            )
        self._processes[name] = process
        return process.pid

    async def signal(self, name: str, number: int) -> None:
        """Send a signal to a process that was spawned."""
        self._processes[name].send_signal(number)

    async def wait(self, name: str, timeout: float) -> int:
        """Wait for the end of a spawned process."""
        return await asyncio.wait_for(self._processes[name].wait(), timeout)

    async def ended(self, name: str) -> int | None:
        """The exit code of a spawned process, None while it runs."""
        return self._processes[name].returncode

    async def http(self, url: str, method: str, body: str) -> tuple[int, str]:
        """One HTTP request from inside."""
        return await asyncio.to_thread(_http, url, method, body)

    async def submit(
        self, messages: list[submission.Message], connections: int, port: int, host: str
    ) -> list[str]:
        """Submit messages; the final reply to each, in order."""
        return await submission.submit(messages, connections, host, port)

    async def _tls(self) -> ssl.SSLContext:
        if self._certificate is None:
            key, certificate = self._directory / "key.pem", self._directory / "cert.pem"
            code, _, error = await self.run(
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                f"-subj /CN=receiver.test -days 2 -keyout {key} -out {certificate}".split()
            )
            if code != 0:
                raise OSError(error)
            self._certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._certificate.load_cert_chain(certificate, key)
        return self._certificate

    async def _names(self) -> None:
        """Write all names and start the name server again (it reads its records at start only)."""
        lines = ["no-resolv", "no-hosts", "local=/#/", "cache-size=0", "pid-file", "user=root"]
        lines += ["listen-address=127.0.0.1", "bind-interfaces", "host-record=lab.test,127.0.0.1"]
        lines += [f"host-record={one.name},{one.address}" for one in self._receivers.values()]
        lines += [f"mx-host={domain},{mx},10" for domain, mx in self._domains.items()]
        lines += self._more
        config = self._directory / "dnsmasq.conf"
        config.write_text("\n".join(lines) + "\n")
        running = self._processes.pop("dnsmasq", None)
        if running is not None:
            running.kill()
            await running.wait()
        await self.spawn("dnsmasq", ["dnsmasq", "-k", "-C", str(config)], "root", {})
        await _answers(53)


async def _answers(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


def _as(user: str) -> list[str]:
    if user == "root":
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]


def _http(url: str, method: str, body: str) -> tuple[int, str]:
    request = urllib.request.Request(url, body.encode() or None, method=method)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def _serve(directory: Path) -> None:
    agent = Agent(directory)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        answer: dict[str, Any]
        try:
            answer = {"value": await getattr(agent, request["call"])(**request["with"])}
        except Exception as error:  # the edge: the test gets to see whatever it was
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def main() -> None:
    """Furnish the namespace and serve until standard input ends."""
    directory = Path(sys.argv[1])
    namespace.furnish(directory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the test runner's, not ours
    print(json.dumps({"value": "ready"}), flush=True)
    asyncio.run(_serve(directory))
    os._exit(0)  # no waiting for the thread that reads standard input


if __name__ == "__main__":
    main()
