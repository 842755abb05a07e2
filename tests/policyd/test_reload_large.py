"""A reload of a daemon that knows many domains: what is large is not written and read again."""

from __future__ import annotations

from policyd.config import Config
from policyd.core import Core, prepare
from policyd.process.clock import Clock


def test_a_reload_keeps_all_domains_without_a_snapshot_of_them() -> None:
    """Neither the domains nor pacing is packed, and every domain's receiver is known after it."""
    core = Core(Config(), clock=Clock())
    for number in range(2000):
        core.receivers.learn(f"d{number}.example", "gmail-smtp-in.l.google.com", core.clock())

    def never() -> bytes:
        raise AssertionError("a large snapshot was taken")

    large = dict.fromkeys(("receivers", "throttle"), never)
    core.documents.update(large)
    before = core.receivers
    core.reload(prepare(Config(), None))
    assert core.receivers is not before
    assert core.receivers.quick_of_domain("d7.example") == "google"
    assert sum(1 for _ in core.receivers.rows()) == 2000
