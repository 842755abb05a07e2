"""Limits and times in the documents are those of the code, and none is told that nobody checks."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from tests.drift import ROOT, joined, plain
from tests.test_drift import FORMS

NUMBERS = "no one two three four five six seven eight nine ten eleven twelve"


def word(number: float) -> str:
    """A small number as it is spoken."""
    return NUMBERS.split()[int(number)] if number == int(number) else str(number)


def share(part: float) -> str:
    """A part of the whole as it is spoken."""
    return {0.5: "half", 0.25: "a quarter", 0.2: "a fifth"}[part]


# document, what it says, the module, what that is in the code
LIMITS: list[tuple[str, str, str, str]] = [
    ("hooks", "({} deferred, {} rejected, of {} attempts or more in the last hour)",
     "counting.lately", "share(DEFERRED), share(REJECTED), ENOUGH"),
    ("hooks", "The page shows {} receivers", "web.http", "_MOST"),
    ("hooks", "when no MTA has asked for {} minutes", "web.http", "word(_SILENT / 60)"),
    ("hooks", "for {} times as long as it took", "web.shared", "word(REST)"),
    ("hooks", "idle for longest, if that is more than {} seconds", "serve.places", "word(REGULAR)"),
    ("hooks", "for an IPv6 network of {} bits", "serve.peer", "_NETWORK"),
    ("hooks", "are read {} KiB at a time", "serve.connection", "READ // 1024"),
    ("hooks", "beyond {} KiB", "serve.connection", "UNREAD // 1024"),
    ("hooks", "all such clients together for {} millisecond", "serve.turns",
     "{1: 'a'}[SHARE * 1000]"),
    ("hooks", "`serve.http_connections` (64) and {}.", "serve.shares", "CONTROL"),
    ("hooks", "A request must be there within {:.0f} seconds, an answer be read within {:.0f}",
     "web.guest", "PATIENCE, LONGEST"),
    ("hooks", "{:,} bytes for a table question", "serve.socketmap", "_LARGEST_KEY"),
    ("hooks", "{} KiB for a policy request", "serve.policy", "_LARGEST // 1024"),
    ("hooks", "at most once in {} seconds for each kind", "serve.faults",
     "word(Faults.__init__.__defaults__[0])"),
    ("hooks", "for {:.0f} s at most (`pacing.door`)", "throttle.settings.door",
     "DoorSettings().wait"),
    ("hooks", "does not answer within {} second", "serve.bypass", "{1: 'a'}[_PATIENCE]"),
    ("logs", "newer by more than {} hour", "logparse.detect", "{3600: 'an'}[_STALE]"),
    ("logs", "lanes keep their state for {} minutes", "reading.sight", "word(PATIENCE / 60)"),
    ("logs", "asked {} times or more for {} minutes", "reading.unwritten",
     "word(ASKED), word(PATIENCE / 60)"),
    ("logs", "none told of a delivery for {:.0f} minutes", "reading.unwritten", "LONGER / 60"),
    ("logs", "{} at most are shown, those with a trouble first", "web.logs", "MOST"),
    ("logs", "reads the end of each log ({} KiB) by itself", "doctor.logsread", "_LOOK // 1024"),
    ("logs", "lines, of {} characters at most", "web.logs", "LONGEST"),
    ("metrics", "delays of attempts, {} s to {:.0f} h", "counting.histogram",
     "SHOWN_BOUNDS[0], SHOWN_BOUNDS[-1] / 3600"),
    ("metrics", "{:.1f} ms to {:.0f} s", "serve.session",
     "ANSWER_BOUNDS[0] * 1000, ANSWER_BOUNDS[-1]"),
    ("pacing", "({} of it, or {} minutes)", "throttle.lane.court",
     "share(_NEW), word(_OLD * _NEW / 60)"),
    ("pacing", "So does silence: {} refusals, and nobody accepted for {} times the usual gap",
     "throttle.lane.pulse", "word(_REFUSED), word(_SILENT)"),
    ("pacing", "with more than {:.0f} % of the lane's attempts",
     "throttle.lane.court", "100 * _BY_ITSELF"),
    ("pacing", "as a whole after {}, or when {} witnesses spoke and {} of the lane is refused",
     "throttle.lane.court", "word(_CONFIRM), word(_CONFIRM), share(_MOST_REFUSING)"),
    ("pacing", "since its own last trouble, within {} minutes", "throttle.lane.hosts",
     "word(_LATELY / 60)"),
    ("pacing", "asked for and its host answered within {} minutes", "throttle.lane.hosts",
     "word(_LATELY / 60)"),
    ("pacing", "and for {} minutes no single host is believed", "throttle.lane.ownlimits",
     "word(_DOUBT / 60)"),
    ("pacing", "is learnt unless {} of the lane is refused", "throttle.lane.court",
     "share(_GENERAL)"),
    ("pacing", "A lane known for less than {:.0f} s has no history", "throttle.lane.court",
     "_WARM_TIME"),
    ("pacing", "({} of each lane). Memory: {} domains", "throttle.lane.standing", "_SAVED, _MOST"),
    ("pacing", "a window. It starts at {} and opens", "throttle.settings.pacing",
     "WindowSettings().initial"),
    ("pacing", "so slow to answer that fewer than {:.0f} attempts", "throttle.lane.window",
     "_FAST"),
    ("pacing", "after {} otherwise", "throttle.settings.pacing", "WindowSettings().settled"),
    ("pacing", "else {} s for rates, {} s for connections, {:.0f} s for blocks and {:.0f} s for "
     "quotas", "throttle.settings.reactions", "_RATE.pause, "
     "DEFAULT_REACTIONS['flow.connections'].pause, _BLOCK.pause, "
     "DEFAULT_REACTIONS['flow.quota'].pause"),
    ("pacing", "each stop is {:.0f} % longer than the last one, up to {:.0f} minutes",
     "throttle.settings.reactions", "100 * (DEFAULT_REACTIONS['flow.quota'].factor - 1), "
     "DEFAULT_REACTIONS['flow.quota'].longest / 60"),
    ("pacing", "longer than {:.0f} s, or the first one is not there after {} s, it opens by {:.0f} "
     "places", "throttle.lane.window", "_SLOW, _LATE, _OPENS"),
    ("pacing", "refused below {} of the ceiling", "throttle.lane.speed", "_FELL"),
    ("pacing", "within {} times the last stop", "throttle.lane.trouble", "word(_COMES_BACK)"),
    ("pacing", "at least {} times as long as answers take", "throttle.lane.speed", "_ANSWERED"),
    ("pacing", "share of the attempts in the last {:.0f} s", "throttle.lane.trouble", "_SPAN"),
    ("pacing", "After {:.0f} s of trouble only the safe rate", "throttle.lane.trouble", "_LONG"),
    ("pacing", "Refusals that cost less than {:.0f} s", "throttle.lane.prospect", "_CHEAP"),
    ("pacing", "by {} in each step", "throttle.lane.speed", "share(_RAMP - 1)"),
    ("pacing", "The ceiling is {:.0f} % lower, at least {} of the refused rate",
     "throttle.lane.speed", "100 * (1 - _SEEN), share(_HALF)"),
    ("pacing", "climbs to {:.0f} % below it, and stays up to {:.0f} % below",
     "throttle.lane.prospect", "100 * _LEAST, 100 * _MOST"),
    ("pacing", "or {} times the stop a refusal costs", "throttle.lane.speed", "word(_COST)"),
    ("pacing", "{:.0f} % a step; {:.0f} % above the old ceiling", "throttle.lane.speed",
     "100 * (_TRY - 1), 100 * (_REACHED - 1)"),
    ("pacing", "in the latest {} messages", "receiver.recipient_limits", "word(_LATEST)"),
    ("pacing", "It is forgotten {} after", "receiver.recipient_limits",
     "{7: 'a week'}[_KEPT / 86400]"),
    ("pacing", "more than {} looks a second", "hooks.whose",
     "Whose.__init__.__kwdefaults__['most']"),
    ("pacing", "once {} minute a release goes by postqueue", "postfix.flush",
     "{60: 'a'}[_VOUCHED]"),
    ("pacing", "within {} of `release.timeout`", "postfix.hand", "share(1 / _BRIEFER)"),
    ("pacing", "postqueue for {} minutes, counted", "postfix.flush", "word(_SHUNNED / 60)"),
    ("pacing", "**Tried again** after {:.0f} s", "throttle.settings.pacing",
     "PacingSettings().explore"),
    ("pacing", "doubling with each failure up to {}", "throttle.settings.pacing",
     "{3600: 'an hour'}[PacingSettings().longest_explore]"),
    ("pacing", "the first such message is tried after {:.0f} s, then {:.0f} s, {:.0f} s… later",
     "throttle.lane.greylist", "_FIRST, _FIRST * _FACTOR, int(_FIRST * _FACTOR ** 2)"),
    ("pacing", "a reply is cut to {} characters. A lane gets at most {} lines a minute, "
     "all lanes together {};", "throttle.lanelog", "_REPLY, PER_LANE, IN_ALL"),
    ("pacing", "and {:.0f} a second where nothing was ever taken", "throttle.lane.prospect",
     "BLOCKED_UNSEEN.rate"),
    ("pacing", "at least {} of the domain's latest attempts", "throttle.book.mailboxes",
     "share(_CROWD)"),
    ("pacing", "({} refusals at least, within {:.0f} s)", "throttle.book.mailboxes",
     "word(_REFUSALS), _CROWDED"),
    ("pacing", "After {} such rounds", "throttle.book.mailboxes", "word(_ROUNDS)"),
    ("pacing", "Memory: {:,} mailboxes", "throttle.book.mailboxes", "_MOST"),
    ("pacing", "Forgotten after {} waits ({} minute at least)", "throttle.book.mailboxes",
     "word(_QUIET), {60: 'a'}[_LEAST_QUIET]"),
    ("pacing", "a stop of {} s is one", "throttle.settings.reactions", "_RATE.pause"),
    ("privacy", "the latest {} entries of each receiver and rule, {} texts of each receiver, "
     "{} steps of each message", "memory.writing", "KEPT_SAMPLES, KEPT_TEXTS, KEPT_STEPS"),
    ("privacy", "in all {:,} changes, {:,} samples, {:,} texts and {:,} steps", "memory.trimming",
     "*ROWS.values()"),
    ("privacy", "of {:.0f} days", "memory.trimming", "HOURS / 24"),
    ("report", "There is room for {:,} receivers, {:,} reasons, {:,} texts, {:,} domains and "
     "{:,} hours and delays", "report.tally", "_RECEIVERS, _REFUSALS, _TEXTS, _DOMAINS, _CELLS"),
]  # fmt: skip

# numbers that are not of our code, by what they stand in
OF_OTHERS = (
    # Postfix's, systemd's and journald's own
    r"\b100 s\b", r"own retry, 5 minutes and more",
    r"`default_process_limit` \(100\)", r"timeout=2s", r"accepted after 2 s", r"RateLimit\w+=\w+",
    # examples
    r"\"in 5 minutes\"",
    # measured; benches and the simulator tell them anew
    r"answers 80 ms after", r"What it costs: .*?at 2 % it is not",
    r"What others can do at worst.*?Ten domains", r"far away \(0.25 s a message\)",
    r"A scrape of 10,000 series .*? same machine\)",
    r"after a minute at a constant limit.*?six minutes",
    r"Live \(`bench/ground.py`, `sender-domain` .*?as with stock",
    r"300 messages to 50 mailboxes .*?\(ideal 20\)",
    r"`sender-domain` and `sender-one`: .*? instead of 0\.05",
)  # fmt: skip
FIGURES = re.compile(r"^## (?:Figures|How fast)\n.*?(?=^## |\Z)", re.M | re.S)
NUMBER = re.compile(
    r"(?<![\w.`])[0-9][0-9,.]* ?(?:KiB|MiB|kB|MB|bytes|bits|characters|lines|looks|seconds|minutes|"
    r"hours|days|ms|s|h|%|attempts|receivers|domains|hosts|messages|connections)(?!\w)"
)
CHECKED = ["hooks", "logs", "metrics", "pacing", "privacy", "production", "report"]


def said(document: str) -> str:
    """A document in one line, without its code and its tables of figures."""
    return joined(FIGURES.sub("", plain(ROOT / f"docs/{document}.md")))


@pytest.mark.parametrize(("document", "template", "module", "values"), LIMITS)
def test_a_limit_in_the_documents_is_that_of_the_code(
    document: str, template: str, module: str, values: str
) -> None:
    """The sentence, with the code's own numbers put in, is in the document."""
    names = {**vars(import_module(f"policyd.{module}" if module[:4] != "logp" else module))}
    found = eval(f"({values},)", {"word": word, "share": share}, names)
    assert template.format(*found) in joined(plain(ROOT / f"docs/{document}.md"))


@pytest.mark.parametrize("document", CHECKED)
def test_no_limit_is_told_that_nobody_checks(document: str) -> None:
    """Each number with a unit is a default, a limit of the list above, or of somebody else."""
    text = said(document)
    for name, template, _, _ in LIMITS:
        if name == document:
            text = re.sub(re.sub(r"\\\{[^}]*\\\}", "(?:a )?[^ ]+?", re.escape(template)), "", text)
    for form in (*FORMS, *OF_OTHERS):
        text = re.sub(form, "", text)
    left = [text[max(0, m.start() - 50) : m.end() + 20] for m in NUMBER.finditer(text)]
    assert left == []
