"""What is said and what is only advised are told apart, also in two languages at once."""

from __future__ import annotations

import pytest

from rules.advice import said

SAID = {
    "No such user. Please try again later": "No such user.",
    "not ours, we relay for customers only. 詳細は x://x をご覧ください": (
        "not ours, we relay for customers only."
    ),
    "Mailbox full! お問い合わせは管理者までお願いします": "Mailbox full!",
    "用户不存在。请联系管理员": "用户不存在。",
}


@pytest.mark.parametrize("text", SAID)
def test_advice_begins_behind_the_sentence_before_it(text: str) -> None:
    """A courtesy takes nothing with it of the sentence that stands before."""
    assert said(text) == SAID[text]
