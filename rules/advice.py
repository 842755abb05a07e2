"""What a text advises, and its courtesies: clauses that tell the reader what to do, not what is.

"Try again later", "if you think this is wrong, check your SPF record", "for help on greylisting see
…" stand beside every kind of refusal. They are known by how a clause begins, not by what it is
about: an imperative with its object, a condition about the reader, an offer of more words.

Contract: `said` gives the text without its clauses of advice; the very same text if there are none.
A clause of advice ends with its sentence, its bracket, a colon that introduces something said, or a
"because". Linear in the text.
Failure: none; advice that is not recognised counts as said.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import ahocorasick

__all__ = ["advised", "kept", "said"]

# Begin advice wherever they stand; with a star, also as the beginning of a longer word.
_ANYWHERE = """
please|pls|kindly|if you|if this|if it is|if the problem|if the error|if in doubt|if necessary
if needed|if so|if not|should you|should this|in case of|in case you|in doubt|try again
try later|try it again|try it later|try sending|try to send|retry later|retry again|retry in
retry after|come back|for more|for further|for help|for assist*|for support|for detail*
for additional|for explanation|for info*|for questions|for any|for instructions|for removal
for delist*|for reference|for the reason|more info*|more detail*|further info*|further detail*
additional info*|detailed info*|learn more|read more|find out|click here|to learn
to resolve this|to request|to find out|to be removed|to get removed|to get unblocked
to get delisted|to have your|to have this|to unblock|to report|to fix|to correct|to appeal
to solve|to avoid this|question|questions|thank you|thanks|feel free|let us know|we recommend
we suggest|we advise|we apologi*|we are sorry|you may want|you may wish|you can find|you can ask
you can read|you can contact|you should contact|you may contact|you might want|you should check
you can check|you might check|you may check|don't hesitate|do not hesitate|send it again
send again|resend|re-send|sorry for|be so kind|your administrator can|your administrator may
your administrator should|your administrator will|your postmaster can|your postmaster may
your postmaster should|your postmaster will|your admin can|your admin may|your admin should
your admin will|your provider can|your provider may|your provider should|your provider will
your isp can|your isp may|your isp should|your isp will|the postmaster can|the postmaster may
the postmaster should|the postmaster will|our support can|our support may|our support should
our support will|our team can|our team may|our team should|our team will|our staff can
our staff may|our staff should|our staff will|can be found|can find more|may find more
will find more|find more|bitte|falls sie|wenn sie|sollten sie|weitere info*|weitere hinweise
mehr info*|nähere info*|wenden sie|kontaktieren sie|versuchen sie|veuillez|merci de|si vous
pour plus|pour toute|en cas de|contactez|réessayez|reessayez|por favor|si cree|si usted
si considera|para más|para mas|para obtener|si desea|intente|inténtelo|póngase|pongase|se você
se voce|para mais|tente|entre em contato|per favore|si prega|se ritiene|se pensa|per maggiori
per ulteriori|riprova*|contattare|пожалуйста|если вы|обратитесь|обращайтесь|подробн*|попробуйте
повторите|свяжитесь|дополнительн*|proszę|prosimy|jeśli|jeżeli|więcej info*|spróbuj*|skontaktuj*
prosím|pokud|zkuste|více info*|alstublieft|neem contact|probeer|als u|voor meer|vänligen|om du
lütfen|kérjük
"""
# Begin advice where a clause begins, if something follows that they are to be done to.
_VERBS = """
see|look|check|recheck|double-check|verify|ask|consult|contact|visit|read|go|call|write|follow
refer|send|use|fix|correct|configure|set|make|ensure|review|wait|report|note|remember|submit
turn|add|remove|upgrade|update|open|find|get|click|try|reduce|lower|talk|tell|speak|let|register
request|forward|start|stop|change|avoid|learn|discover|understand|explore|choose|search|query
test|allow|give|consider|have|retry|repeat|come|return|help|info|information|details|support
explanation|reference|more|siehe|prüfen|wenden|voir|consultez|véase|consulte|ver|vedi|zobacz|см
viz|zie
"""
_OBJECT = re.compile(
    r"""(?ix) (?:[ ]|:[ ]?|$) (?: (?:(?:out|up|back|in|it|them|this|again|away)[ ])?
    (?:your|yours|you|the|that|this|these|those|whether|if|how|about|with|for|at|to|us|our|on|in
      |into|over|up|out|again|later|another|a|an|one|it|its|them|there|from|what|why|here|back|under
      |less|fewer|more|sure|by|who|only|x://x|x\.x|<?x@x\.x>?|\(?x://x|support|help|postmaster
      |(?:e-?mail|network|system|mail)?[ ]?admin\w*|sie|ihr\w*|unter|sous|la|le|les|el|los|su|il
      |lo)\b
    | \S{0,3}x://x | \S{0,3}x\.x | $ )"""
)
_SURE_VERBS = frozenset(
    {"check", "verify", "recheck", "consult", "contact", "visit", "review", "fix"}
)
_NOT_DONE = re.compile(
    r"(?i) (?:fail|error|time|not\b|did|was|is\b|has|in progress|refus|problem|re-?sult|unsuccess)"
)
_OPENING = frozenset(".;:!?,([{<>-–—|/\"'。，；：！？、（")
_JOINS = frozenset({"and", "or", "then", "also", "so", "but", "und", "et", "y", "e", "и"})
_END = re.compile(
    r"(?i)[.!?;](?=[ \"')\]]|$)|\.\.+|[。；！？]|: (?![<(]?x://x|[<(]?x@x|x\.x)(?=\S)|[ ]-+[ ]"
    r"|[()\[\]{}]"
    r"|[ ](?=because\b|as your\b|since\b|due to\b|owing to\b)"
)
# A sentence that only supposes something, behind one that says something, is no more than advice.
_SUPPOSED = re.compile(
    r"\b(?:can|may|might|could|should|would|will)\b(?! ?not\b| no\b| never\b)|\?$"
)
_MODALS = ("can", "may", "might", "could", "should", "would", "will")
_WISHES = re.compile(
    r" (?:to|in order to) [a-z]+ | we (?:hope|regret|thank|ask|suggest|apologi|recommend|advise"
    r"|encourage|wish|are sorry|appreciate|will be)"
)
_SENTENCE = re.compile(r"[.!?;](?= |$)")
# East Asian courtesies: one that begins the clause, and endings that ask for something.
_ASIAN_HEADS = re.compile("请|請|如有|如需|若有|若要|详情|詳情|详细|更多|如果您|如您")
_ASIAN_ENDS = re.compile(
    "ください|下さい|お願い(?:いた)?(?:します)?|바랍니다|주십시오|주세요|하십시오"
)
_ASIAN_STOP = re.compile("[。；！？]")
_ASIAN_STOPS = (*"。，；！？、,;", ". ", "! ", "? ")  # what is said before may be English


def _automaton() -> Any:
    made = ahocorasick.Automaton()
    for word in _MODALS:
        made.add_word(f" {word}", (len(word), False, None))
    for line in _VERBS.split("\n"):
        for word in filter(None, line.split("|")):
            made.add_word(f" {word}", (len(word), True, False))
            made.add_word(f"({word}", (len(word), True, False))
    for line in _ANYWHERE.split("\n"):
        for words in filter(None, line.split("|")):
            plain = words.rstrip("*")
            made.add_word(f" {plain}", (len(plain), False, plain != words))
            made.add_word(f"({plain}", (len(plain), False, plain != words))
    for sign in ".!?;":
        for word in (" to", " we", " in order to"):
            made.add_word(f"{sign}{word} ", (len(word), False, None))
    made.make_automaton()
    return made


_HEADS = _automaton()


@functools.lru_cache(maxsize=4096)  # names and numbers are set apart: the same texts come again
def said(text: str) -> str:
    """The text without what it advises."""
    spans = advised(text)
    return " ".join([text[start:end] for start, end in kept(text, spans)]) if spans else text


def advised(text: str) -> list[tuple[int, int]]:
    """Where it advises; these may overlap."""
    low = text.lower()
    spans = _spans(text, low)
    return spans if low.isascii() else spans + _asian(low)


def kept(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left beside these, without the blanks and signs at its ends."""
    found = []
    done = 0
    ends: list[tuple[int | None, int]] = [*sorted(spans), (None, 0)]
    for start, end in ends:
        part = text[done:start]
        left = (part if start is None else part.rstrip(" ,-–(")).strip()
        if left:
            at = done + len(part) - len(part.lstrip())
            found.append((at, at + len(left)))
        done = max(done, end)
    return found


def _spans(text: str, low: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    done, modal = 0, low.endswith("?")
    for last, (length, verb, stem) in _HEADS.iter(f" {low}"):
        start = last - length
        if stem is None:
            modal = True
            continue
        if start < done or (not stem and low[last : last + 1].isalnum()):
            continue
        if verb and not (_begins(low, start) and _acts(low, start, last)):
            continue
        done = _end(text, last)
        spans.append((start, done))
    return spans + _supposed(low) if modal else spans


def _supposed(low: str) -> list[tuple[int, int]]:
    """Sentences behind the first one that only suppose."""
    spans = []
    ends = [found.end() for found in _SENTENCE.finditer(low)]
    for start, end in zip(ends, [*ends[1:], len(low)], strict=False):
        if _WISHES.match(low, start) or _SUPPOSED.search(low, start, end):
            spans.append((start, end))
    return spans


def _end(text: str, start: int) -> int:
    """Where a clause ends that began before `start`: brackets opened in it close in it."""
    depth = 0
    for found in _END.finditer(text, start):
        if found[0] in "([{":
            depth += 1
        elif found[0] in ")]}":
            if not depth:
                return found.start()
            depth -= 1
        elif not depth:
            return found.end()
    return len(text)


def _begins(low: str, start: int) -> bool:
    """Does a clause begin here."""
    before = low[max(start - 12, 0) : start].rstrip()
    if not before or before[-1] in _OPENING:
        return True
    return before.rpartition(" ")[2] in _JOINS


def _acts(low: str, start: int, end: int) -> bool:
    """Is the verb an imperative: has it an object, or is it one that is nothing else."""
    if low[end : end + 1].isalpha() or low[end : end + 1] == "-":
        return False
    if low[start:end] in _SURE_VERBS and low[end : end + 1] == " ":
        return _NOT_DONE.match(low, end) is None
    return _OBJECT.match(low, end) is not None


def _asian(low: str) -> list[tuple[int, int]]:
    """Clauses of advice in Chinese, Japanese and Korean."""
    spans = []
    for found in _ASIAN_HEADS.finditer(low):
        end = _ASIAN_STOP.search(low, found.end())
        spans.append((found.start(), end.end() if end else len(low)))
    for found in _ASIAN_ENDS.finditer(low):
        start = max(low.rfind(stop, 0, found.start()) for stop in _ASIAN_STOPS)
        spans.append((start + 1, found.end()))
    return spans
