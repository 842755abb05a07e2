"""Every category has a reaction that fits whom it blames."""

from __future__ import annotations

import pytest

from policyd.throttle.settings.pacing import PacingSettings
from rules.taxonomy import CATEGORIES

SETTINGS = PacingSettings()
OURS = ["account.suspended", "account.quota"]
THEIRS = ["content.url", "content.attachment", "session.certificate", "session.policy"]


def _act(name: str) -> str:
    reaction = SETTINGS.reaction(name, CATEGORIES[name].stance)
    return reaction.act if reaction else "none"


@pytest.mark.parametrize("name", OURS)
def test_a_blocked_account_of_ours_pauses(name: str) -> None:
    """While our own account may not send, nothing is sent against the wall."""
    assert _act(name) == "pause"


@pytest.mark.parametrize("name", THEIRS)
def test_one_message_or_one_certificate_slows_nobody(name: str) -> None:
    """A link, an attachment or a certificate is no reason to hold other mail."""
    assert _act(name) in ("none", "retry")


@pytest.mark.parametrize(
    "name", [name for name in CATEGORIES if name.startswith(("recipient.", "content.", "domain."))]
)
def test_what_blames_one_recipient_or_message_never_pauses(name: str) -> None:
    """Nobody else's mail waits because of one mailbox, domain or message."""
    assert _act(name) not in ("pause", "connections")
