"""Who plays in the sample day: receivers, how many write to them, and what they say when.

Contract: data only. Hours are hours of the day as float, shares are probabilities per attempt.
Addresses are documentation addresses, people are numbers. Failure: none.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from policyd.sample import texts

__all__ = ["CAST", "OUR_ADDRESS", "CastHost", "CastReceiver", "Incident"]

OUR_ADDRESS = "198.51.100.25"

Where = Literal["connect", "MAIL FROM", "RCPT TO", "end of DATA", "none"]


class CastHost(NamedTuple):
    """An MX host and its address."""

    name: str
    address: str


class Incident(NamedTuple):
    """Between two hours a share of the attempts is answered so."""

    start: float
    end: float
    share: float
    dsn: str
    where: Where  # "none": no session came about
    text: str
    kinds: str = "tnb"  # whom it hits: transactional, newsletter, business


class CastReceiver(NamedTuple):
    """One receiver: its share of our mail, the domains behind it, and its day."""

    name: str
    weight: float
    domains: tuple[str, ...]
    hosts: tuple[CastHost, ...]  # "{tenant}" in a host name: the domain with dashes
    accept: str
    connect: float  # seconds, typical
    send: float
    greylist: str = ""  # the reply to a first attempt
    incidents: tuple[Incident, ...] = ()


def _towns(suffix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{name}{suffix}.example" for name in names)


CAST: tuple[CastReceiver, ...] = (
    CastReceiver(
        "google",
        30,
        (
            "gmail.com",
            "gmail.com",
            "gmail.com",
            "gmail.com",
            "googlemail.com",
            *_towns("-school", "amber", "birch", "cedar", "delta", "elm", "fern", "grove", "holly"),
            *_towns("-works", "iron", "jade", "kiln", "lime", "moss", "north", "oak", "pine"),
        ),
        (
            CastHost("gmail-smtp-in.l.google.com", "192.0.2.26"),
            CastHost("alt1.gmail-smtp-in.l.google.com", "2001:db8:26::1b"),
        ),
        "250 2.0.0 OK {token} - gsmtp",
        0.28,
        0.55,
        incidents=(
            Incident(6.15, 6.9, 0.82, "4.7.28", "end of DATA", texts.GOOGLE_NEWS, "n"),
            Incident(6.3, 6.9, 0.25, "4.7.28", "end of DATA", texts.GOOGLE_NEWS, "tb"),
            Incident(6.9, 7.6, 0.40, "4.7.28", "end of DATA", texts.GOOGLE_NEWS),
            Incident(7.6, 8.1, 0.12, "4.7.28", "end of DATA", texts.GOOGLE_NEWS),
            Incident(11.0, 13.0, 0.05, "4.2.1", "RCPT TO", texts.GOOGLE_USER_RATE),
            Incident(0, 24, 0.012, "4.2.2", "RCPT TO", texts.GOOGLE_FULL),
            Incident(0, 24, 0.006, "5.1.1", "RCPT TO", texts.GOOGLE_UNKNOWN),
        ),
    ),
    CastReceiver(
        "microsoft365",
        17,
        (
            *_towns(
                "-legal", "adler", "brandt", "clausen", "dorn", "ebert", "falk", "graf", "horn"
            ),
            *_towns("-clinic", "east", "harbour", "hill", "lake", "river", "south", "west", "wood"),
            *_towns(
                "-city", "altdorf", "bergen", "cork", "dover", "essen", "fano", "gent", "halle"
            ),
            *_towns(
                "-print", "alpha", "beta", "gamma", "kappa", "lambda", "omega", "sigma", "zeta"
            ),
        ),
        (CastHost("{tenant}.mail.protection.outlook.com", "203.0.113.36"),),
        "250 2.6.0 <{token}@news.example.org> [InternalId=77{token}] Queued mail for delivery",
        0.31,
        1.3,
        incidents=(
            Incident(9.5, 10.5, 0.07, "5.2.121", "end of DATA", texts.M365_HOURLY),
            Incident(0, 24, 0.008, "5.4.1", "RCPT TO", texts.M365_UNKNOWN),
            Incident(16.0, 16.7, 0.85, "5.4.1", "RCPT TO", texts.M365_UNKNOWN, "b"),
        ),
    ),
    CastReceiver(
        "microsoft",
        10,
        ("outlook.com", "hotmail.com", "hotmail.com", "live.com", "outlook.de", "hotmail.fr"),
        (CastHost("{tenant}.olc.protection.outlook.com", "203.0.113.33"),),
        "250 2.6.0 <{token}@news.example.org> [InternalId=41{token}] Queued mail for delivery",
        0.35,
        1.1,
        incidents=(
            Incident(6.4, 8.2, 0.55, "4.7.650", "MAIL FROM", texts.OLC_RATE, "n"),
            Incident(13.1, 14.8, 0.45, "4.7.650", "MAIL FROM", texts.OLC_RATE),
            Incident(
                0,
                24,
                0.01,
                "5.5.0",
                "RCPT TO",
                texts.OLC_UNKNOWN,
            ),
        ),
    ),
    CastReceiver(
        "yahoo",
        8,
        ("yahoo.com", "yahoo.com", "yahoo.de", "aol.com", "ymail.com", "yahoo.co.uk"),
        (
            CastHost("mta5.am0.yahoodns.net", "192.0.2.77"),
            CastHost("mta7.am0.yahoodns.net", "192.0.2.79"),
        ),
        "250 ok dirdel",
        0.42,
        0.8,
        incidents=(
            Incident(6.2, 7.8, 0.6, "4.7.0", "connect", texts.YAHOO_TSS04, "n"),
            Incident(18.0, 20.5, 0.7, "4.7.0", "MAIL FROM", texts.YAHOO_TSS04),
            Incident(
                0,
                24,
                0.012,
                "5.0.0",
                "end of DATA",
                texts.YAHOO_DISABLED,
            ),
        ),
    ),
    CastReceiver(
        "gmx",
        9,
        ("gmx.de", "gmx.net", "gmx.at", "gmx.ch"),
        (
            CastHost("mx00.emig.gmx.net", "203.0.113.9"),
            CastHost("mx01.emig.gmx.net", "203.0.113.10"),
        ),
        "250 Requested mail action okay, completed: id={token}",
        0.12,
        0.3,
        incidents=(Incident(13.0, 15.4, 0.78, "5.0.0", "RCPT TO", texts.GMX_POLICY),),
    ),
    CastReceiver(
        "webde",
        5,
        ("web.de",),
        (CastHost("mx-ha02.web.de", "203.0.113.17"),),
        "250 Requested mail action okay, completed: id={token}",
        0.12,
        0.3,
        incidents=(
            Incident(0, 24, 0.02, "5.0.0", "RCPT TO", "552 Quota exceeded for mailbox {rcpt}"),
        ),
    ),
    CastReceiver(
        "icloud",
        4,
        ("icloud.com", "me.com"),
        (
            CastHost("mx01.mail.icloud.com", "192.0.2.141"),
            CastHost("mx02.mail.icloud.com", "192.0.2.142"),
        ),
        "250 2.5.0 Ok; id {token}",
        0.51,
        0.6,
        incidents=(Incident(6.2, 6.8, 0.3, "4.7.1", "RCPT TO", texts.ICLOUD, "n"),),
    ),
    CastReceiver(
        "t-online",
        4,
        ("t-online.de",),
        (CastHost("mx03.t-online.de", "203.0.113.73"),),
        "250 2.0.0 {token} Message accepted.",
        0.1,
        0.2,
        incidents=(Incident(20.0, 22.2, 1.0, "4.0.0", "connect", texts.TONLINE),),
    ),
    CastReceiver(
        "mimecast",
        3,
        _towns("-bank", "first", "union", "harbor"),
        (CastHost("eu-smtp-inbound-1.mimecast.com", "192.0.2.200"),),
        "250 SmtpThread-{token}@uk-mta.uk.mimecast.lan Received OK [{token}.uk123]",
        0.4,
        2.8,
        greylist="451 Internal resources are temporarily unavailable - https://community.mimecast."
        "com/docs/DOC-1369#451 [{token}.uk104]",
    ),
    CastReceiver(
        "barracuda",
        2,
        _towns("-tools", "saw", "hammer"),
        (CastHost("d12345a.ess.barracudanetworks.com", "192.0.2.210"),),
        "250 Ok: queued as {token}",
        0.9,
        6.5,
    ),
    CastReceiver(
        "brewers",
        3,
        _towns("-brewery", "old", "new"),
        (CastHost("mx.old-brewery.example", "203.0.113.101"),),
        "250 2.0.0 Ok: queued as {token}",
        0.05,
        0.1,
        greylist=texts.POSTGREY,
    ),
    CastReceiver(
        "college",
        3,
        ("college.example", "library.college.example"),
        (CastHost("mx1.college.example", "203.0.113.102"),),
        "250 2.0.0 Ok: queued as {token}",
        0.06,
        0.1,
        greylist=texts.GREY_HINT,
    ),
    CastReceiver(
        "theatre",
        2,
        ("theatre.example",),
        (CastHost("post.theatre.example", "203.0.113.103"),),
        "250 OK id=1{token}",
        0.08,
        0.2,
        incidents=(
            Incident(
                14.0,
                24,
                0.5,
                "5.0.0",
                "RCPT TO",
                "550 The curtain is down, the usher lets nobody in before the second act",
            ),
        ),
    ),
    CastReceiver(
        "quarry",
        1,
        ("quarry.example",),
        (CastHost("mail.quarry.example", "203.0.113.104"),),
        "250 OK",
        0.1,
        0.2,
        incidents=(Incident(8.0, 17.5, 1.0, "4.4.1", "none", ""),),
    ),
)
