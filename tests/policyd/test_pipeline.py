"""The hot path counts what the values say, however the log is cut and whoever listens."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.genlog import Exim, Postfix
from logparse.auto import AutoParser
from logparse.events import Delivery
from policyd.counting.counters import Counters
from policyd.counting.pipeline import Pipeline
from policyd.counting.receivercounts import Change
from rules.verdict import Verdict
from tests.logparse.postfix_lines import NOW, record, said


def classify(
    reply: str,
    *,
    mx: str | None = None,
    receiver: str | None = None,
    stage: str | None = None,
    origin: str | None = "remote",
    dsn: str | None = None,
    now: float | None = None,
) -> Verdict:
    """A small stand-in for the rules."""
    category = "recipient.unknown" if "5.1.1" in reply else "flow.rate" if "4.7" in reply else None
    category = category or ("net.connect" if origin == "local" else "unknown")
    rule = None if category == "unknown" else f"test.{category}"
    return Verdict(category, rule, receiver, "message", "retry", False)


def receiver_of(host: str | None, address: str | None, domain: str) -> str:
    """Another one for the roll-up."""
    if host is None:
        return f"mx:{domain}" if domain else "unknown"
    return "google" if host.endswith("google.com") else f"mx:{host}"


def pipeline(counters: Counters | None = None, **options: object) -> Pipeline:
    return Pipeline(classify, receiver_of, counters or Counters(50), **options)  # type: ignore[arg-type]


def listening() -> Pipeline:
    """A pipeline that builds every value."""
    return pipeline(on_attempt=lambda delivery, receiver, verdict: None, sent=True)


def counted(pipe: Pipeline, *blocks: bytes) -> list[Change]:
    for block in blocks:
        pipe.process(block, NOW)
    return sorted(pipe.counters.dump(), key=repr)


def line(text: str, pid: int = 4711, agent: str = "smtp", second: int = 6) -> bytes:
    return f"Nov 23 04:05:{second:02d} mx1 postfix/{agent}[{pid}]: {text}\n".encode()


LOG = b"".join(
    [
        *islice(Postfix(5).lines(), 1500),
        *islice(Exim(5).lines(), 400),
        *islice(Postfix(6, "rfc3339").lines(), 500),
    ]
)


def test_with_and_without_a_listener() -> None:
    """The fast path for accepted mail gives the numbers of the long way."""
    assert counted(pipeline(), LOG) == counted(listening(), LOG)


def test_the_numbers_are_those_of_the_values() -> None:
    """Outcomes, totals and delays are what adding up the parsed values gives."""
    events = AutoParser(removed=False).feed(LOG, NOW)
    outcomes: Counter[tuple[str, ...]] = Counter()
    for event in events:
        if isinstance(event, Delivery):
            domain = event.recipient.rpartition("@")[2]
            outcomes[receiver_of(event.host, event.address, domain), event.outcome] += 1
    counters = Counters(100_000)
    counted(pipeline(counters), LOG)
    assert counters.deliveries() == dict(outcomes)
    assert counters.lines == LOG.count(b"\n")
    waits = [e.delays[2] for e in events if isinstance(e, Delivery) and e.delays is not None]
    connect = [h for (_, part), h in counters.delays().items() if part == "connect"]
    assert sum(h.total for h in connect) == pytest.approx(sum(waits))
    assert sum(sum(h.counts) for h in connect) == len(waits)


def test_the_generator_tells_the_truth() -> None:
    """What the benchmark's log says it holds is what is counted."""
    for writer in (Postfix(7), Exim(7)):
        text = b"".join(islice(writer.lines(), 3000))
        pipe = pipeline()
        counted(pipe, text)
        found: Counter[str] = Counter()
        for (_, outcome), count in pipe.counters.deliveries().items():
            found[outcome] += int(count)
        # the last message's records may stand behind the cut
        assert all(0 <= writer.truth[word] - found[word] <= 3 for word in writer.truth)
        assert pipe.counters.unparsed == 0


RELAYS = ("mx.example.net[192.0.2.10]:25", "gmail-smtp-in.l.google.com[192.0.2.1]:25", "none",
          "mx1.example[private/lmtp]", "local")  # fmt: skip
TEXTS = (
    ("2.0.0", "sent", "250 2.0.0 Ok: queued as 9C1B2"),
    ("2.0.0", "sent", "250-2.0.0 first 250 2.0.0 second"),
    ("2.0.0", "sent", "250 2.0.0 héllo "),
    ("2.0.0", "sent", "delivered to mailbox"),
    ("4.2.1", "deferred", said("450 4.7.1 later")),
    ("4.2.1", "deferred", said("450 4.7.1 later", "end of DATA")),
    ("4.4.1", "deferred", "connect to mx.example.net[192.0.2.10]:25: Connection timed out"),
    ("5.1.1", "bounced", said("550 5.1.1 no")),
    ("5.0.0", "bounced", said("550 what", "MAIL FROM")),
    ("4.7.0", "deferred", "Error looking up name=d type=MX: DNS reply filter drops all results"),
    ("4.4.1", "deferred", "delivery temporarily suspended: connect to h[1.2.3.4]:25: refused"),
    ("2.1.5", "deliverable", "250 2.1.5 Ok"),
)

records = st.builds(
    lambda text, relay, to, queue_id, delays, uses, pid, close: line(
        record(text[2], relay=relay, to=to, queue_id=queue_id, delays=delays, extra=uses,
               dsn=text[0], status=text[1], close=close),
        pid,
    ),
    st.sampled_from(TEXTS),
    st.sampled_from(RELAYS),
    st.sampled_from(("ann@example.net", '"a b"@example.net', "bo@example.net")),
    st.sampled_from(("3A5444167F", "4F3Tqk3Lr4z9vV", "4d0000000A")),
    st.sampled_from(("0.07/0.01/0.6/0.72", "0.1/0/0/0", "86400/300/30/12", "1.2.3/.5/1./.")),
    st.sampled_from(("", ", conn_use=2")),
    st.sampled_from((1, 2)),
    st.sampled_from((")", "")),
)  # fmt: skip
other_lines = st.sampled_from(
    (
        line("connect from unknown[203.0.113.9]", agent="smtpd"),
        line("3A5444167F: removed", agent="qmgr"),
        line("3A5444167F: from=<a@b>, status=expired, returned to sender", agent="qmgr"),
        line("3A5444167F: to=<broken"),
        line(f"3A5444167F: {said('450 4.7.0 later', 'MAIL FROM')}"),
        b"2026-11-23 04:05:06 1vQqXZ-00000000abc-0001 == a@x.example R=r T=t defer (-45) H="
        b"mx.example.net [192.0.2.10]: SMTP error from remote mail server after DATA: 450 4.7 x\n",
        b"2026-11-23 04:05:06 1vQqXZ-00000000abc-0001 H=mx.example.net [192.0.2.10]: "
        b"SMTP error from remote mail server after DATA: 450 4.7 x\n",
    )
)
exim_sent = st.builds(
    '{} {} {} {} R=r T=t {}{} C="{}"{}\n'.format,
    st.sampled_from(
        ("2026-11-23 04:05:06", "2026-11-23 04:05:40", "2026-11-23 04:05:06.250 +0100")
    ),
    st.sampled_from(("1xNl5M-00000000abc-0001", "1xNl5M-0000ab-01", "zzzzzz-0000ab-02")),
    st.sampled_from(("=>", "->", ">>", "*>")),
    st.sampled_from(("a@x.example", "a@x.example <b@x.example>", '"a b"@x.example', "a@[1.2.3.4]")),
    st.sampled_from(("H=mx.example.net [192.0.2.10]", "H=mx.example.net [192.0.2.10]:25*", "")),
    st.sampled_from(("", " X=TLS1.3:A:256 CV=yes", ' DN="CN=x,O=y z" A=plain L* K')),
    st.sampled_from(("250 ok", "250-a\\\\n250 b", '250 \\"q\\"', "250 ok ", "251 hm")),
    st.sampled_from(("", " QT=2s", " QT=1d2h DT=0.3s", " DT=1s")),
).map(str.encode)
logs = st.lists(st.one_of(records, records, exim_sent, other_lines), max_size=40)


@settings(max_examples=300)
@given(logs)
def test_any_log_gives_the_same_numbers_both_ways(lines: list[bytes]) -> None:
    """Short cut and long way agree on every log."""
    block = b"".join(lines)
    assert counted(pipeline(), block) == counted(listening(), block)


@settings(max_examples=200)
@given(logs, st.integers(0, 40))
def test_cutting_and_restarting_change_nothing(lines: list[bytes], at: int) -> None:
    """Blocks may end anywhere, and a restart from a snapshot may come between any two."""

    def without_clock(rows: list[Change]) -> list[Change]:
        return [row for row in rows if row[1] != ("last_time",)]  # told once per block

    whole = without_clock(counted(pipeline(), b"".join(lines)))
    assert without_clock(counted(pipeline(), *lines)) == whole
    first = pipeline()
    counted(first, *lines[:at])
    second = pipeline()
    second.counters.load(first.counters.dump())
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert without_clock(counted(second, *lines[at:])) == whole


def replies(*lines: bytes) -> dict[tuple[str, ...], float]:
    pipe = pipeline()
    counted(pipe, *lines)
    return pipe.counters.replies()


def lost(
    to: str, *, delays: str = "9/0.01/0.6/0", pid: int = 4711, queue_id: str = "3A5444"
) -> bytes:
    text = record(said("421 4.7.0 no", "end of DATA"), to=to, delays=delays, dsn="4.7.0",
                  status="deferred", queue_id=queue_id)  # fmt: skip
    return line(text, pid)


def test_one_failed_session_is_one_reply_and_several_recipients() -> None:
    """Recipients of one transaction share its reply."""
    pipe = pipeline()
    counted(pipe, *[lost(f"user{number}@example.net") for number in range(5)])
    assert pipe.counters.replies() == {("mx:mx.example.net", "flow.rate", "eod"): 1}
    assert pipe.counters.deliveries() == {("mx:mx.example.net", "deferred"): 5}


def test_what_is_another_transaction_is_another_reply() -> None:
    """The next attempt, another message and another process count anew."""
    key = ("mx:mx.example.net", "flow.rate", "eod")
    assert replies(lost("a@x"), lost("a@x", delays="310/0.01/0.6/0"))[key] == 2
    assert replies(lost("a@x"), lost("a@x", queue_id="3B5444"))[key] == 2
    assert replies(lost("a@x"), lost("b@x", pid=4712))[key] == 2


def test_lines_of_other_processes_between_do_not_matter() -> None:
    """Two transactions that are logged in turns are two replies."""
    mixed = [lost(f"u{n}@x", pid=1 + n % 2, queue_id=f"3A544{n % 2}") for n in range(8)]
    assert replies(*mixed)["mx:mx.example.net", "flow.rate", "eod"] == 2


def test_each_refused_recipient_is_a_reply() -> None:
    """RCPT is answered once per recipient."""
    lines = [
        line(record(said("550 5.1.1 no"), to=f"u{n}@x", dsn="5.1.1", status="bounced"))
        for n in range(3)
    ]
    assert replies(*lines)["mx:mx.example.net", "recipient.unknown", "rcpt"] == 3


def test_accepted_mail_counts_once_per_transaction() -> None:
    """A message to three recipients in one transaction is accepted by one reply."""
    lines = [line(record(to=f"u{n}@x")) for n in range(3)]
    assert replies(*lines) == {("mx:mx.example.net", "accepted", "eod"): 1}


def test_no_fresh_reply_no_verdict() -> None:
    """Echoes, holds, probes and expiry are counted, not judged; delays are those of attempts."""
    heard: list[tuple[str, str, object]] = []
    pipe = pipeline(on_attempt=lambda d, r, v: heard.append((d.outcome, r, v)))
    hold = "Error looking up name=d.example type=MX: DNS reply filter drops all results"
    counted(
        pipe,
        line(record(hold, to="a@d.example", relay="none", dsn="4.7.0", status="deferred")),
        line(record(f"delivery temporarily suspended: {said('421 4.7.0 x')}", relay="none",
                    dsn="4.7.0", status="deferred"), agent="error"),
        line(record("250 2.1.5 Ok", dsn="2.1.5", status="deliverable")),
        line("3A5444167F: from=<a@b>, status=expired, returned to sender", agent="qmgr"),
    )  # fmt: skip
    assert heard == [
        ("held", "mx:d.example", None),
        ("suspended", "mx:mx.example.net", None),
        ("probe", "mx:mx.example.net", None),
        ("expired", "mx:mx.example.net", None),
    ]
    assert pipe.counters.replies() == {}
    assert pipe.counters.delays() == {}


@pytest.mark.parametrize("wanted", [False, True])
def test_callbacks(wanted: bool) -> None:
    """Accepted mail is only told if asked for; ends of messages and unparsed lines if wanted."""
    heard: list[object] = []
    pipe = pipeline(
        on_attempt=lambda delivery, receiver, verdict: heard.append(delivery.outcome),
        sent=wanted,
        on_removed=lambda event: heard.append(event.queue_id),
        on_unparsed=lambda event: heard.append(event.line[-4:]),
    )
    sent, end, strange = line(record()), line("3A5444167F: removed"), line("3A5444167F: to=<x")
    refused = line(record(said("550 5.1.1 no"), dsn="5.1.1", status="bounced"))
    counted(pipe, sent + sent + refused + end + strange)
    assert heard == [*["sent"] * (2 * wanted), "bounced", "3A5444167F", b"o=<x"]
    assert pipe.counters.unparsed == 1


def test_mail_that_stays_here_is_local() -> None:
    """Mailboxes, pipes and unix sockets are one receiver."""
    pipe = pipeline()
    counted(
        pipe,
        line(record("delivered to mailbox", relay="local"), agent="local"),
        line(record("delivered via dovecot service", relay="dovecot"), agent="pipe"),
        line(record("250 2.0.0 Ok", relay="mx1.example[private/lmtp]"), agent="lmtp"),
        b"2026-11-23 04:05:06 1vQqXZ-00000000abc-0001 => ann <ann@x.example> R=l T=mailbox\n",
    )
    assert pipe.counters.deliveries() == {("local", "sent"): 4}


def test_unknown_refusals_are_counted() -> None:
    """What no rule knows shows under its receiver."""
    pipe = pipeline()
    counted(pipe, line(record(said("550 what"), dsn="5.0.0", status="bounced")))
    assert pipe.counters.unclassified() == {("mx:mx.example.net",): 1}


def test_other_rules_from_now_on() -> None:
    """After a change of rules nothing of the old roll-up is remembered."""
    pipe = pipeline()
    counted(pipe, line(record()), line(record(to="b@x")))
    pipe.use(classify, lambda host, address, domain: "renamed")
    counted(pipe, line(record()))
    assert pipe.counters.deliveries() == {("mx:mx.example.net", "sent"): 2, ("renamed", "sent"): 1}


def test_the_newest_stamp_is_known() -> None:
    """The time of the last record tells how far we are."""
    pipe = pipeline(zone=None)
    counted(pipe, b"2026-02-03T04:05:06.5Z mx1 postfix/smtp[1]: " + record().encode() + b"\n")
    assert pipe.counters.last_time == 1_770_091_506


def test_exim_counts_a_hosts_refusal_once() -> None:
    """The host's line and the recipients' lines of one refusal are one reply."""
    head = "2026-11-23 04:05:06 1vQqXZ-00000000abc-0001 "
    words = "SMTP error from remote mail server after DATA: 450 4.7.1 later"
    host = "H=mx.example.net [192.0.2.10]"
    pipe = pipeline()
    counted(
        pipe,
        f"{head}{host}: {words}\n".encode(),
        f"{head}== a@x R=r T=t defer (-46) {host}: {words}\n".encode(),
        f"{head}== b@x R=r T=t defer (-46) {host}: {words}\n".encode(),
    )
    assert pipe.counters.replies() == {("mx:mx.example.net", "flow.rate", "data"): 1}
    assert pipe.counters.deliveries() == {("mx:mx.example.net", "deferred"): 2}
