"""A question that comes alone goes a short way: it must lead where the long one leads."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.config import Config
from policyd.core import Core
from policyd.serve.netstring import encode
from policyd.serve.settings import ServeSettings
from policyd.serve.socketmap import SocketmapEndpoint
from tests.policyd.clocks import still
from tests.policyd.serve_parts import cut, talk

NOW = 1_000_000.0
HOSTS = ("mx.one.test.", "MX2.one.test.", "mx.two.test.", "mx.google.com.", ".", "192.0.2.9")
NAMES = ("d1.test.", "D1.test.", "d2.test.", *HOSTS)
RECEIVERS = ("mx:one.test", "mx:two.test", "google")
SAID = "host mx.two.test[192.0.2.1] said: 450 4.2.1 too fast (in reply to RCPT TO command)"

names, hosts = st.sampled_from(NAMES), st.sampled_from(HOSTS)
pools = st.sampled_from(("mx", "mx/two"))
records = st.one_of(
    st.builds("{} {} 60 IN MX {} {}".format, pools, names, st.integers(0, 70_000), hosts),
    st.builds("{} {} 60 IN A 192.0.2.{}".format, pools, names, st.integers(1, 3)),
    st.sampled_from((f"status 4.2.1 {SAID}", "status 2.0.0 250 OK", "transport a@d1.test")),
    st.sampled_from(("mx *", "mx x", "no such map", "", "mx d1.test. 60 IN TLSA 3 1 1 ab")),
).map(str.encode)


def core(stopped: Sequence[str]) -> Core:
    """The real handlers, with these receivers stopped."""
    made = Core(Config(serve=ServeSettings(transports={"google": "g"})), clock=still(lambda: NOW))
    for receiver in stopped:
        made.controller.pin(receiver, "suspended", 3600.0, NOW)
    return made


@settings(max_examples=60, deadline=None)
@given(st.lists(records, max_size=25), st.sets(st.sampled_from(RECEIVERS)), st.integers(1, 60))
def test_however_questions_arrive_they_get_the_same_answers(
    questions: list[bytes], stopped: set[str], size: int
) -> None:
    """One by one, all at once, and cut anywhere: the same bytes, counts and attempts under way."""
    frames = [encode(question) for question in questions]
    stream = b"".join(frames)
    found = []
    for pieces in (frames, [stream] if stream else [], cut(stream, size)):
        made = core(sorted(stopped))
        served = SocketmapEndpoint(made.maps, clock=lambda: NOW)
        wire = talk(served, pieces)
        lanes = [
            (lane.lane, lane.window.open, lane.held_total) for lane in made.controller.lanes(NOW)
        ]
        found.append((wire.sent, served.counts.answers, made.gate.decisions, sorted(lanes)))
    assert found[0] == found[1] == found[2]
    assert found[0][0].count(b",") >= len(questions)
