"""What a text points at: links, host names and ids. They are set apart from what it says.

Contract: `point` puts a sign for each of them (`x://x`, `x.x`, `x0`) and hands them back beside the
text: patterns of the conditions `url`, `host` and `id` look there, all others never do. A text of
a link or a host name is somebody's choice, often not even the speaker's. Linear in the text.
Failure: none; what is not recognised stays text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["HOST", "ID", "URL", "Pointed", "point"]

URL, HOST, ID = "x://x", "x.x", "x0"

# The last label of a host name: a country's, one of the old ones, one of the common new ones, or
# one that is reserved. Without it `RESOLVER.RST` or `later.Please` would be hosts.
_COUNTRIES = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br "
    "bs bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz "
    "ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw "
    "gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw "
    "ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu "
    "mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt "
    "pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz "
    "tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf "
    "ws ye yt za zm zw"
)
_GENERIC = (
    "com net org edu gov mil int info biz name pro mobi jobs travel asia tel aero coop museum "
    "arpa example test invalid localhost local localdomain lan internal intern intranet home "
    "corp private app dev cloud email mail online site website store shop tech xyz top club vip "
    "work works live life news world space group agency services service systems network "
    "digital media company center global host hosting one zone link team today software "
    "solutions support academy microsoft google goog amazon apple bayern berlin hamburg koeln "
    "cologne wien swiss paris london nyc amsterdam"
)
_TOPS = frozenset((*_COUNTRIES.split(), *_GENERIC.split()))
_SCHEME = re.compile(r"[0-9A-Za-z+.\-]{1,10}")
_LINK = re.compile(r"[!-;=?-~]+")
_BARE = re.compile(r"\bwww\.[!-;=?-~]+", re.IGNORECASE)
_TAIL = ".,;:!?'\"*"  # of the sentence, not of the link
_NAME = re.compile(
    r"([A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)+)(?![A-Za-z0-9_\-@]|\.[A-Za-z0-9])(:[0-9]{1,5}(?![0-9]))?(/[!-;=?-~]*)?"
)
_SENTENCES = re.compile(r"[a-z]\.[A-Z][a-z]")  # a missing blank: two sentences, no name
_STAMP = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:", re.IGNORECASE)
_WHEN = frozenset(
    [
        "until",
        "till",
        "before",
        "after",
        "at",
        "from",
        "than",
        "since",
        "by",
        "bis",
        "nach",
        "ab",
        "hasta",
        "do",
        "до",
        "после",
    ]
)
_DOTTED = re.compile(r"[0-9A-Za-z_\-]\.[0-9A-Za-z_\-]*[A-Za-z]")
_MIXED = re.compile(r"[A-Za-z][^ ]*[0-9]|[0-9][^ ]*[A-Za-z]")
_DIGIT = re.compile(r"[0-9]")
_LETTER = re.compile(r"[A-Za-z]")
# a run of letters and digits, perhaps in pieces, that is no word of any language
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-#.]{3,250}")
_NO_ID = re.compile(
    r"(?i)(?:rfcs?|ipv|tls|ssl|tlsv|sslv|utf|iso|sha|md|base|x\.?|esmtp|smtp|http|us|mx|v|p"
    r"|port|level|cp|koi|cram-md|c|no|nr)[-_. ]?[0-9.]{1,5}[a-z]{0,3}"
    r"|[0-9]+(?:[.\-][0-9]+)*[a-z]{0,9}(?:[0-9]{1,2}[a-z]{1,3}){0,2}"
    r"|[78]-?bit\w*|iso-[0-9a-z\-]+|[0-9]+(?:st|nd|rd|th)?-?[a-z]+"
)


class Pointed(NamedTuple):
    """A text with signs for what it points at, and that itself, joined by blanks."""

    text: str
    urls: str = ""
    hosts: str = ""
    ids: str = ""


def point(text: str) -> Pointed:
    """Set apart what a masked text points at."""
    found: tuple[list[str], list[str], list[str]] | None = None
    if "://" in text:
        found = ([], [], [])
        text = _links(text, found[0])
    if "www." in text or "WWW." in text:
        urls = (found := found or ([], [], []))[0]
        text = _BARE.sub(lambda link: _link(link[0], urls), text)
    words = text.split(" ")
    odd = [at for at in enumerate(words) if not at[1].isalpha()]
    for place, word in odd:
        if word[:-1].isalpha() or word in _SIGNS:
            continue
        if word.isalnum() and word.isascii():  # letters and digits, or digits alone
            size = len(word)
            if size > 5 and not word.lstrip("0123456789").isalpha() and not word.isdigit():
                if size < 10 and _NO_ID.fullmatch(word):
                    continue
                found = found or ([], [], [])
                found[2].append(word)
                words[place] = ID
            continue
        if word[:2] == "20" and _STAMP.match(word):
            # a moment only where the word before makes it one; else an id like any other
            if not place or words[place - 1].lower() not in _WHEN:
                found = found or ([], [], [])
                found[2].append(word)
                words[place] = ID
            continue
        dotted = "." in word and "@" not in word and _DOTTED.search(word) is not None
        if dotted or (len(word) > 4 and _MIXED.search(word) is not None):
            found = found or ([], [], [])
            words[place] = _word(word, dotted, *found)
    if found is None:
        return Pointed(text)
    return Pointed(" ".join(words), *[" ".join(some) if some else "" for some in found])


def _word(word: str, dotted: bool, urls: list[str], hosts: list[str], ids: list[str]) -> str:
    """A word that may hold a host name or an id."""
    if dotted:
        word = _NAME.sub(lambda found: _host(found, urls, hosts), word)
        if not _MIXED.search(word):
            return word
    return _RUN.sub(lambda found: _id(found[0], ids), word)


_SIGNS = frozenset(
    {"0.0.0.0", "[0.0.0.0]", "<x@x.x>", "<x@x.x>:", "x@x.x", HOST, URL, f"({URL})", f"<{URL}>"}
)


def _links(text: str, urls: list[str]) -> str:
    parts: list[str] = []
    done = 0
    at = text.find("://")
    while at >= 0:
        scheme = _SCHEME.match(text[max(done, at - 10) : at][::-1])
        rest = _LINK.match(text, at + 3)
        if scheme and rest:
            start = at - scheme.end()
            parts += (text[done:start], _link(text[start : rest.end()], urls))
            done = rest.end()
        at = text.find("://", max(done, at + 1))
    parts.append(text[done:])
    return "".join(parts)


def _link(link: str, urls: list[str]) -> str:
    kept = link.rstrip(_TAIL)
    for opening, closing in ("()", "[]"):
        while kept.endswith(closing) and kept.count(opening) < kept.count(closing):
            kept = kept[:-1].rstrip(_TAIL)
    urls.append(kept)
    return URL + link[len(kept) :]


def _host(found: re.Match[str], urls: list[str], hosts: list[str]) -> str:
    name, port, path = found.groups()
    top = name.rpartition(".")[2]
    if name == HOST or not top[0].isalpha() or len(top) < 2 or _SENTENCES.search(name):
        return found[0]
    if top.lower() not in _TOPS:
        odd = name.count(".") > 1 and ("-" in name or _DIGIT.search(name) is not None)
        if not odd or not top.isalpha():
            return found[0]
    if path:
        return _link(found[0], urls)
    hosts.append(name)
    return HOST + (port or "")


def _id(run: str, ids: list[str]) -> str:
    kept = run.rstrip(".-#")
    pieces = len(kept) > 5 or "-" in kept or "_" in kept or "#" in kept
    if not pieces or not _DIGIT.search(kept) or not _LETTER.search(kept) or _NO_ID.fullmatch(kept):
        return run
    ids.append(kept)
    return ID + run[len(kept) :]
