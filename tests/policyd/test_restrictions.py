"""Restriction lists of smtpd: what is asked, about whom, and where a check belongs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.postfix.policycheck import policy_text
from policyd.postfix.restrictions import Reach, asked, items, place

ADDRESS = "unix:mxheed/policy"
CHECK = f"check_policy_service {{ {ADDRESS}, timeout=2s, default_action=DUNNO }}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a, b c,d", ["a", "b", "c", "d"]),
        (f"permit_mynetworks,\n {CHECK}\n reject", ["permit_mynetworks", CHECK, "reject"]),
        ("check_recipient_access hash:/etc/x reject", ["check_recipient_access hash:/etc/x",
                                                       "reject"]),
        ("check_recipient_access inline:{{ a@b = OK }} x",
         ["check_recipient_access inline:{{ a@b = OK }}", "x"]),
        ("reject_rbl_client bl.example permit", ["reject_rbl_client bl.example", "permit"]),
        ("warn_if_reject reject_rbl_client bl.example x",
         ["warn_if_reject reject_rbl_client bl.example", "x"]),
        ("warn_if_reject reject, x", ["warn_if_reject reject", "x"]),
        ("check_policy_service", ["check_policy_service"]),
    ],
)  # fmt: skip
def test_a_list_is_read_as_smtpd_reads_it(text: str, found: list[str]) -> None:
    """Blanks and commas part, braces keep together, arguments belong to what is before them."""
    assert items(text) == found


def test_classes_are_put_in_where_they_are_named() -> None:
    """Also classes in classes; one that names itself is no endless story."""
    classes = {"ours": f"strict {CHECK}", "strict": "reject_unlisted_recipient", "loop": "loop x"}
    assert items("ours, permit", classes) == ["reject_unlisted_recipient", CHECK, "permit"]
    assert items("loop", classes)[-1] == "x"


SASL, OWN = "permit_sasl_authenticated", "permit_mynetworks"


@pytest.mark.parametrize(
    ("text", "reach"),
    [
        ("reject_unlisted_recipient", None),
        ("check_policy_service unix:private/other", None),
        (CHECK, Reach()),
        (f"warn_if_reject {CHECK}", Reach()),
        (f"check_policy_service {ADDRESS}", Reach()),
        (f"{OWN}, {CHECK}", Reach(spared=(OWN,))),
        (f"{OWN} reject {CHECK}", Reach(barred="reject", spared=(OWN,))),
        (f"permit {CHECK}", Reach(barred="permit", spared=("permit",))),
        (f"warn_if_reject reject {CHECK}", Reach()),
        (f"check_client_access static:OK {CHECK}", Reach(barred="check_client_access static:OK")),
        (f"check_client_access static:DUNNO {CHECK}",
         Reach(spared=("check_client_access static:DUNNO",))),
        (f"{OWN} {CHECK} reject", Reach(spared=(OWN,), refused="reject")),
        (f"{OWN} {CHECK} {SASL} reject", Reach(spared=(OWN,))),
        (f"{OWN} {SASL} reject_unauth_destination {CHECK}", Reach(spared=(OWN, SASL))),
    ],
)  # fmt: skip
def test_who_is_asked_about_is_known(text: str, reach: Reach | None) -> None:
    """Barred by what always ends the list, spared by what may permit before, refused after."""
    assert asked(items(text), ADDRESS) == reach


WORDS = st.lists(
    st.sampled_from(
        [OWN, SASL, "reject", "permit", "reject_unauth_destination", "reject_unlisted_recipient",
         "check_recipient_access hash:/etc/x", "check_client_access static:OK"]
    ),
    max_size=6,
)  # fmt: skip


@given(WORDS, st.booleans())
def test_the_check_is_placed_where_it_is_reached(restrictions: list[str], spare: bool) -> None:
    """Nothing else is moved, nothing bars it; it spares nobody but the own networks, or nobody."""
    placed = place(restrictions, CHECK, spare=spare)
    without = [one for one in placed if one != CHECK]
    assert without in (restrictions, [*restrictions, OWN])
    reach = asked(placed, ADDRESS)
    assert reach is not None
    assert not reach.barred
    permits = {one for one in reach.spared if one.startswith("permit")}
    assert permits <= ({OWN} if spare else set())
    assert spare or not reach.spared


@given(WORDS)
def test_what_setup_proposes_it_leaves_alone(restrictions: list[str]) -> None:
    """Asked again, setup prints the same list: nothing is put in twice."""
    first = policy_text(ADDRESS, ", ".join(restrictions)).partition("restrictions =\n")[2]
    assert policy_text(ADDRESS, first).partition("restrictions =\n")[2] == first


@pytest.mark.parametrize(
    ("existing", "remark", "order"),
    [
        ("", "Your own networks are not asked", [OWN, "check_policy_service"]),
        (f"{OWN}, {SASL}, reject", "Your own networks are not asked",
         [OWN, "check_policy_service", SASL, "reject"]),
        (f"{OWN}, reject", "nobody is asked", [OWN, "check_policy_service", "reject"]),
        (f"{OWN}, reject, {CHECK}", "nobody is asked", [OWN, "check_policy_service", "reject"]),
        (f"{SASL}, reject_unauth_destination", "Your own networks are asked, too",
         ["check_policy_service", SASL, "reject_unauth_destination"]),
        (f"{CHECK}, {OWN}", "Your own networks are asked, too", ["check_policy_service", OWN]),
    ],
)  # fmt: skip
def test_setup_puts_the_check_in_its_place_and_says_who_is_asked(
    existing: str, remark: str, order: list[str]
) -> None:
    """A list of the operator's keeps its order; a check that serves stays where it stands."""
    text = policy_text(ADDRESS, existing)
    assert remark in text
    head, _, body = text.partition("smtpd_recipient_restrictions =\n")
    assert all(line.startswith("#") for line in head.splitlines())
    assert [line.split()[0] for line in body.splitlines()] == order
