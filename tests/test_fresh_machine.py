"""The bare machine: how it gets this machine's settings, and that it touches nothing else."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
DEV = ROOT / "contrib" / "dev"


def load(name: str) -> ModuleType:
    """A program of contrib/dev as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(DEV / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def settings() -> ModuleType:
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return load("machine-settings")
    finally:
        sys.dont_write_bytecode = before


def test_sources_of_another_release_come_from_the_same_archives(settings: ModuleType) -> None:
    """Debian's own archives, wherever apt here takes them from; other vendors' stay out."""
    found = settings.archives(
        "Debian|Debian|http://one.example/debian/|bookworm\n"
        "Debian|Debian-Security|http://two.example/security/|bookworm-security\n"
        "Vendor|Vendor|http://three.example/|stable\n"
    )
    assert settings.sources(found, "trixie") == (
        "deb http://one.example/debian trixie main\n"
        "deb http://one.example/debian trixie-updates main\n"
        "deb http://two.example/security trixie-security main\n"
    )


def test_pips_settings_are_one_file_and_the_environment_wins(
    settings: ModuleType, tmp_path: Path
) -> None:
    """The environment's word is the last; local files are named as they are seen inside."""
    index, certificate = tmp_path / "index" / "simple", tmp_path / "ca.pem"
    index.mkdir(parents=True)
    certificate.touch()
    local = settings.Local()
    text = settings.pip_conf(
        ":env:.timeout='180'\n"
        f"global.cert='{certificate}'\n"
        f"global.extra-index-url='file://{index} https://packages.example/simple'\n"
        "global.timeout='15'\n"
        "install.no-binary='a\\nb'\n",
        local,
    )
    assert text == (
        "[global]\n"
        f"cert = /media/machine{certificate}\n"
        f"extra-index-url = file:///media/machine{index} https://packages.example/simple\n"
        "timeout = 180\n"
        "[install]\n"
        "no-binary = a b\n"
    )
    assert local.paths == {str(index.parent), str(certificate)}


def test_proxies_and_certificates_reach_every_login(settings: ModuleType, tmp_path: Path) -> None:
    """Nothing else of the environment does, and nothing in it is run."""
    environment = {"https_proxy": "http://a b$(id)", "HOME": "/root", "SSL_CERT_FILE": "/no/such"}
    assert settings.exports(environment, settings.Local()) == (
        "export SSL_CERT_FILE=/no/such\nexport https_proxy='http://a b$(id)'\n"
    )


def test_apt_takes_the_ways_and_leaves_the_tastes(settings: ModuleType) -> None:
    """Proxies, retries and checks are copied; hooks and caches of this machine are not."""
    dump = (
        'Acquire::http::Proxy "http://proxy.example:3128/";\nAcquire::Check-Valid-Until "false";\n'
        'Acquire::Languages "none";\nDPkg::Post-Invoke:: "rm -f x";\nAcquire::Retries "3";\n'
    )
    assert [line.partition(" ")[0] for line in settings.APT.findall(dump)] == [
        "Acquire::http::Proxy",
        "Acquire::Check-Valid-Until",
        "Acquire::Retries",
    ]


def test_no_archive_is_named_in_the_project() -> None:
    """Where packages come from is the machine's business."""
    for path in (*DEV.iterdir(), ROOT / ".ci" / "run", ROOT / "Makefile"):
        assert not re.search(r"https?://(?!127\.|\\S)[\w-]+\.", path.read_text()), path.name


@pytest.mark.needs("unshare")
def test_without_root_it_says_so_and_fails() -> None:
    """An ordinary user is told what is missing, at once."""
    nobody = ("unshare", "--user") if os.geteuid() == 0 else ()
    command = (*nobody, str(DEV / "fresh-machine"), "trixie")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "this needs root" in done.stderr


@pytest.mark.live
def test_what_a_bare_root_runs_is_alone_and_leaves_nothing(tmp_path: Path) -> None:
    """Mounts, processes, host name and network are its own; what lies outside is not in reach."""
    mounts = Path("/proc/self/mountinfo").read_text()
    root = tmp_path / "root"
    for folder in ("proc", "sys", "run", "dev", "mnt", "media", "usr"):
        (root / folder).mkdir(parents=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    shown = tmp_path / "shown"
    shown.write_text("shown")
    (root / "media" / "machine.paths").write_text(f"/usr\n{shown}\n")
    (root / "usr").rmdir()
    (root / "usr").symlink_to("media/machine/usr")  # a root that is made of this machine's programs
    script = (
        f"cat /media/machine{shown}; echo; hostname; echo $$; ls /mnt; grep -c : /proc/net/dev\n"
        f"test -e {tmp_path} || echo no way out\n"
        f"echo spoilt 2>/dev/null >/media/machine{shown} || echo read-only\n"
        "sleep 61234 >/dev/null 2>&1 &"
    )
    done = subprocess.run(
        [DEV / "in-root", "--no-network", root, "bash", "-c", script],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    told = ["shown", "fresh", "1", "1", "no way out", "read-only"]
    assert done.stdout.splitlines() == told, done.stderr
    assert Path("/proc/self/mountinfo").read_text() == mounts
    left = subprocess.run(["pgrep", "-fx", "sleep 61234"], capture_output=True, check=False)
    assert left.stdout == b""
