"""What is passed over in a block of Exim's log tells no event, in any mixture of layouts."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logparse.exim import EximParser
from logparse.exim_lines import found_in, only_exim
from tests.logparse.postfix_lines import HEAD, NOW, record

ROUTE = "R=r T=t"
HOST = "H=mx.example.net [192.0.2.10]"
STAMPS = ("2026-11-23 04:05:06", "2026-11-23 04:05:06.250", "2026-11-23 04:05:06 +0100",
          "2026-11-23 04:05:06.250 -0330")  # fmt: skip
IDS = ("1xNl5M-0000ab-01", "1xNl5M-00000000abc-0001")
SENT = (
    f'=> a@x.example {ROUTE} {HOST} C="250 ok"',
    f'-> a@x.example <b@x.example> F=<c@x.example> P=<> R=r T=t S=9 {HOST}:25* I=[192.0.2.1]:9 L K '
    'DN="CN=x y" C="250 2.0.0 ok: 250" QT=1m2.5s DT=0.3s',
)  # fmt: skip
TELLING = (
    f'>> a@x.example {ROUTE} {HOST} C="250 ok"',
    f'*> a@x.example {ROUTE} {HOST}:-1 C="delivery bypassed by -N option"',
    f'=> a@x.example {ROUTE} {HOST} C="251 ok"',
    f"== a@x.example {ROUTE} defer (-1): x",
    "** a@x.example : no",
    f"{HOST} Connection refused",
    "Completed",
    "Completed QT=3s",
    "**",
)
SILENT = ("<= a@x.example H=x [192.0.2.1] P=esmtp S=1", "DKIM: d=x", "Message is frozen", "=", "")
SYSLOG = ("Nov 23 04:05:06 mx1", "Nov  3 04:05:06 mailserver-abcdef-01", "<22>Nov  3 04:05:06 mx1",
          "2026-11-23T04:05:06+01:00 pod-a1b2c3-d4")  # fmt: skip

heads = st.builds(
    "{} {}{} ".format, st.sampled_from(STAMPS), st.sampled_from(("", "[1] ", "[31237] ")),
    st.sampled_from(IDS),
)  # fmt: skip
texts = st.sampled_from((*SENT, *TELLING, *SILENT))
own = st.builds("{}{}".format, heads, texts)
syslog = st.builds(
    "{} exim[7]: {}{}".format, st.sampled_from(SYSLOG), st.sampled_from(("", f"{STAMPS[0]} ")),
    st.builds("{} {}".format, st.sampled_from(IDS), texts),
)  # fmt: skip
other = st.sampled_from(
    ("", "x", "-" * 60, f"{STAMPS[0]} Start queue run: pid=1", f"{STAMPS[0]} {IDS[0]}",
     HEAD + record(), HEAD + "connect from x[192.0.2.1]")
)  # fmt: skip
logs = st.lists(st.one_of(own, own, syslog, other), max_size=12)


@settings(max_examples=500)
@given(logs, st.booleans())
def test_every_line_that_tells_something_is_found(lines: list[str], end: bool) -> None:
    """Of each line with an event the event is given, as if the line stood alone."""
    block = "\n".join(lines).encode() + b"\n" * end
    parser, alone = EximParser(UTC), EximParser(UTC)
    events = [alone.line(line.encode(), NOW) for line in lines]
    assert parser.feed(block, NOW) == [event for event in events if event is not None]


@pytest.mark.parametrize("text", SENT)
@pytest.mark.parametrize("identity", IDS)
@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize("pid", ["", "[31237] "])
def test_the_parts_of_accepted_mail(stamp: str, pid: str, identity: str, text: str) -> None:
    """A plain 250 comes with its parts, whatever the layout; lines of no interest do not come."""
    line = f"{stamp} {pid}{identity} {text}"
    dull = "".join(f"{stamp} {pid}{identity} {silent}\n" for silent in SILENT)
    (found,) = found_in(f"{dull}{line}\n{dull}".encode(), removed=False)
    whole, when, queue_id, relay, address, reply, wait = (part.decode() for part in found)
    assert (whole, when, queue_id, address) == (line, stamp, identity, "192.0.2.10")
    assert relay.startswith(HOST)
    assert f'C="{reply}"' in text
    assert wait == ("1m2.5s" if "QT=" in text else "")


@pytest.mark.parametrize("line", [HEAD + record(), "x", "2026-11-23 | Nov 23 04:05:06 mx1 a[1]: b"])
def test_lines_of_other_programs_are_seen(line: str) -> None:
    """Only where all lines have Exim's own stamp nobody else wrote any."""
    head = f"{STAMPS[0]} {IDS[0]} "
    exim = f"{head}{SENT[0]}\n{head}{SILENT[0]}\n"
    assert only_exim(found_in(exim.encode()))
    assert not only_exim(found_in(f"{exim}{line}\n{exim}".encode()))
