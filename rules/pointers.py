"""What a text points at: links, host names and ids. They are set apart from what it says.

Contract: `point` puts a sign for each of them (`x://x`, `x.x`, `x0`), for mailboxes and addresses
those of `rules.masks`, and hands the links, names and ids back beside the text: patterns of the
conditions `url`, `host` and `id` look there, all others never do. A text of a link or a host name
is somebody's choice, often not even the speaker's. Linear in the text.
Failure: none; what is not recognised stays text.
"""

from __future__ import annotations

import re

from rules.masks import masked

__all__ = ["HOST", "ID", "URL", "Pointed", "point"]

URL, HOST, ID = "x://x", "x.x", "x0"
MOST = 8192  # words that are known to stay as they are, and as many of which the signs are known
LONGEST = 128  # of these words
FEW = 16  # words to be looked at, among which none is expected twice

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
_CLOCK = re.compile(r"\bx0(?::[0-5][0-9]){1,2}(?:\.[0-9]{1,9})?Z?(?![A-Za-z0-9_:])")
_NO_ID = re.compile(
    r"(?i)(?:rfcs?|ipv|tls|ssl|tlsv|sslv|utf|iso|sha|md|base|x\.?|esmtp|smtp|http|us|mx|v|p"
    r"|port|level|cp|koi|cram-md|c|no|nr)[-_. ]?[0-9.]{1,5}[a-z]{0,3}"
    r"|[0-9]+(?:[.\-][0-9]+)*[a-z]{0,9}(?:[0-9]{1,2}[a-z]{1,3}){0,2}"
    r"|[78]-?bit\w*|iso-[0-9a-z\-]+|[0-9]+(?:st|nd|rd|th)?-?[a-z]+"
)


_plain: set[str] = set()
_signs: dict[str, tuple[str, list[str], list[str]]] = {}


_Read = tuple[str, list[str], list[str], list[str]]  # the sign of a word, and what it holds
Pointed = tuple[str, str, str, str]  # with signs; links, host names and ids, joined by blanks


def point(text: str) -> Pointed:
    """Put signs for whom and what a text names, and set apart what it points at.

    What becomes of a word follows from the word (and, for a moment, from the one before), so words
    that stay as they are need to be looked at only once.
    """
    quoted = '"@' in text  # a quoted local part may hold blanks
    words = (masked(text) if quoted else text).split(" ")
    odd = [word for word in words if word not in _plain]
    if not odd:
        return " ".join(words) if quoted else text, "", "", ""
    urls: list[str] = []
    hosts: list[str] = []
    ids: list[str] = []
    again: dict[str, _Read] = {}  # a long text that repeats itself does so with its ids
    place = -1
    for word in odd:
        place = words.index(word, place + 1)
        known = None if quoted else _signs.get(word)
        if known is not None:
            words[place] = known[0]
            urls.extend(known[1])
            hosts.extend(known[2])
        elif word.isalnum():
            words[place] = sign = _alnum(word, ids)
            if sign == word and not quoted:
                _remember(_plain, word)
        elif quoted:
            words[place] = _odd(word, words[place - 1] if place else "", urls, hosts, ids)
        elif word in again:
            words[place] = again[word][0]
            for kept, more in zip((urls, hosts, ids), again[word][1:], strict=True):
                kept.extend(more)
        else:
            u, h, i = len(urls), len(hosts), len(ids)
            words[place] = _new(word, words[place - 1] if place else "", urls, hosts, ids)
            if len(odd) > FEW and not _STAMP.match(word):
                again[word] = (words[place], urls[u:], hosts[h:], ids[i:])
    return " ".join(words), " ".join(urls), " ".join(hosts), " ".join(ids)


def _new(word: str, before: str, urls: list[str], hosts: list[str], ids: list[str]) -> str:
    """The sign for a word that was not seen before; links and names come again, ids do not."""
    names, links, marks = len(hosts), len(urls), len(ids)
    sign = _odd(masked(word), before, urls, hosts, ids)
    if len(word) > LONGEST or len(ids) > marks or "@" in word or _STAMP.match(word):
        return sign
    if sign == word and len(urls) == links:
        _remember(_plain, word)
    else:
        if len(_signs) >= MOST:
            _signs.clear()
        _signs[word] = (sign, urls[links:], hosts[names:])
    return sign


def _remember(words: set[str], word: str) -> None:
    if len(word) <= LONGEST:
        if len(words) >= MOST:
            words.clear()
        words.add(word)


def _odd(word: str, before: str, urls: list[str], hosts: list[str], ids: list[str]) -> str:
    """The sign for a word that holds more than letters and digits, addresses masked."""
    if not _STAMP.match(word):
        return _word(word, urls, hosts, ids)
    if before.lower() in _WHEN:
        return word  # a moment only where the word before makes it one; else an id like any other
    ids.append(word)
    return ID


def _alnum(word: str, ids: list[str]) -> str:
    """A word of letters and digits: an id if it holds both, and is no term or amount."""
    if len(word) < 6 or not word.isascii() or word.isdigit() or word[:-1].isalpha():
        return word
    if word.lstrip("0123456789").isalpha() or (len(word) < 10 and _NO_ID.fullmatch(word)):
        return word
    ids.append(word)
    return ID


def _word(word: str, urls: list[str], hosts: list[str], ids: list[str]) -> str:
    """A word that may hold a link, a host name or an id."""
    if "://" in word or "www." in word or "WWW." in word:
        word = _BARE.sub(lambda link: _link(link[0], urls), _links(word, urls))
    if word[:-1].isalpha() or word in _SIGNS:
        return word
    if "." in word and "@" not in word and _DOTTED.search(word):
        word = _NAME.sub(lambda found: _host(found, urls, hosts), word)
    elif len(word) < 5:
        return word
    if _MIXED.search(word):
        word = _RUN.sub(lambda found: _id(found[0], ids), word)
        return _CLOCK.sub(ID, word) if "x0:" in word else word
    return word


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
    if not pieces or not _DIGIT.search(kept) or not _LETTER.search(kept):
        return run
    long = len(kept) > 9 and kept.isalnum() and not kept.lstrip("0123456789").isalpha()
    if not long and _NO_ID.fullmatch(kept):
        return run
    ids.append(kept)
    return ID + run[len(kept) :]
