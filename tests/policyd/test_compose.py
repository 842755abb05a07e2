"""contrib/compose: a valid file, whose parts fit together, and which run without Docker, too."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from policyd import sample
from tests.policyd.dashboards import DASHBOARDS, ROOT
from tests.policyd.programs import PATIENCE, Program

COMPOSE = ROOT / "contrib/compose"
SERVICES = YAML(typ="safe").load(COMPOSE / "compose.yml")["services"]


def mounts(service: str) -> dict[str, Path]:
    """What stands where in a container, of the files that are ours."""
    pairs = (text.split(":")[:2] for text in SERVICES[service]["volumes"] if text.startswith("."))
    return {inside: (COMPOSE / ours).resolve() for ours, inside in pairs}


@pytest.mark.needs("docker-compose")
def test_docker_compose_takes_the_file() -> None:
    """`docker compose config` accepts it, and asks for a password first."""
    command = ["docker-compose", "-f", "compose.yml", "config"]
    environ = {**os.environ, "GRAFANA_PASSWORD": "secret"}
    done = subprocess.run(
        command, cwd=COMPOSE, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(YAML(typ="safe").load(done.stdout)["services"]) == set(SERVICES)
    del environ["GRAFANA_PASSWORD"]
    done = subprocess.run(
        command, cwd=COMPOSE, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode
    assert "README.md" in done.stderr


def test_everything_that_is_mounted_or_copied_is_there() -> None:
    """A file of ours that moves takes its mount along."""
    for service in SERVICES:
        for path in mounts(service).values():
            assert path.exists(), path
    context = (COMPOSE / SERVICES["mxheed"]["build"]["context"]).resolve()
    assert (context / SERVICES["mxheed"]["build"]["dockerfile"]).is_file()
    for sources in re.findall(r"^COPY (.*) \S+$", (COMPOSE / "Dockerfile").read_text(), re.M):
        for name in sources.split():
            assert (context / name).exists(), name
    packages = {path.parts[0] for path in map(Path, ("rules", "logparse", "policyd"))}
    assert packages <= set((COMPOSE / "Dockerfile").read_text().split())


def test_grafana_finds_its_data_and_its_dashboards() -> None:
    """The provider reads the folder that is mounted, the source is the service, home is there."""
    inside = mounts("grafana")
    provisioning = inside["/etc/grafana/provisioning"]
    provider = YAML(typ="safe").load(provisioning / "dashboards/mxheed.yml")["providers"][0]
    folder = inside[provider["options"]["path"]]
    assert {path.stem for path in folder.glob("*.json")} == set(DASHBOARDS)
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (folder / Path(home).name).is_file()
    source = YAML(typ="safe").load(provisioning / "datasources/prometheus.yml")["datasources"][0]
    assert source["type"] == "prometheus"
    host = urllib.parse.urlsplit(source["url"])
    assert host.hostname in SERVICES
    assert SERVICES["prometheus"]["ports"] == [f"127.0.0.1:{host.port}:{host.port}"]


def test_nothing_listens_beyond_this_machine() -> None:
    """Every published port is on 127.0.0.1: none of these pages has a password of its own."""
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def get(url: str, **headers: str) -> str:
    """A page."""
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def until(happened: Callable[[], Any], what: str) -> Any:
    """Ask until there is an answer."""
    end, pause = time.monotonic() + PATIENCE, threading.Event()
    while time.monotonic() < end:
        try:
            if found := happened():
                return found
        except (urllib.error.URLError, ConnectionError):
            pass
        pause.wait(0.2)
    raise AssertionError(what)


@pytest.mark.needs("prometheus")
def test_the_same_files_run_without_docker(tmp_path: Path) -> None:
    """mxheed by its file reads a log, and Prometheus by its file scrapes it and has the rules."""
    day = islice(sample.lines(time.time() - 86_000, 1.0), 2000)
    (tmp_path / "mail.log").write_bytes(b"".join(line for _, line in day))
    text = (COMPOSE / "mxheed.yaml").read_text()
    for ours, there in (("/logs/", f"{tmp_path}/"), ("/var/lib/mxheed/", f"{tmp_path}/"),
                        ("0.0.0.0:9825", "127.0.0.1:0")):  # fmt: skip
        assert ours in text
        text = text.replace(ours, there)
    (tmp_path / "mxheed.yaml").write_text(text)
    config = mounts("prometheus")["/etc/prometheus/prometheus.yml"].read_text()
    rules = mounts("prometheus")["/etc/prometheus/mxheed.rules.yml"].read_text()
    run = (sys.executable, "-m", "policyd.cli", "run", "--config", f"{tmp_path}/mxheed.yaml")
    with Program(*run) as daemon:
        target = daemon.says(r"status page .*http://([\d.]+:\d+)/")[1]
        name, _, _ = (
            YAML(typ="safe")
            .load(config)["scrape_configs"][0]["static_configs"][0]["targets"][0]
            .partition(":")
        )
        assert name in SERVICES
        until(lambda: get(f"http://{target}/metrics", Host=name), "Prometheus is turned away")
        (tmp_path / "prometheus.yml").write_text(
            config.replace(f"{name}:9825", target).replace("30s", "1s")
        )
        (tmp_path / "mxheed.rules.yml").write_text(rules)
        serve = (
            "prometheus",
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            "--web.listen-address=127.0.0.1:0",
        )
        with Program(*serve) as prometheus:
            address = prometheus.says(r"Listening on\" address=([\d.]+:\d+)")[1]
            query = urllib.parse.urlencode(
                {"query": 'sum(mxheed_deliveries_total{job="mxheed"}) > 0'}
            )
            until(
                lambda: json.loads(get(f"http://{address}/api/v1/query?{query}"))["data"]["result"],
                "no deliveries in Prometheus",
            )
            groups = json.loads(get(f"http://{address}/api/v1/rules"))["data"]["groups"]
            assert sum(len(group["rules"]) for group in groups) == rules.count("expr:")
