"""The proving ground's receivers of several hosts, one of which is in trouble or has its own limit.

Contract: values only. All hosts are of the same preference; the ideal is that of the healthy ones.
Failure: none.
"""

from __future__ import annotations

from bench.scenario import RATE, TOO_MANY, FurtherHost, Scenario
from bench.scenario import mail as _mail

__all__ = ["HOSTS"]

BUSY = "421 4.3.2 System busy, please try again later"
NO_SIX = (
    "550-5.7.1 Our system has detected that this message does not meet\r\n"
    "550-5.7.1 IPv6 sending guidelines regarding PTR records and authentication.\r\n"
    "550 5.7.1 https://support.example/mail/?p=IPv6AuthError"
)

HOSTS: tuple[Scenario, ...] = (
    Scenario(
        "hosts-limits",
        "two hosts, 10 and 30 messages in each window of 2 s",
        {"kind": "window", "limit": 30, "per": 2.0, "reply": RATE},
        _mail("hosts-limits", 300),
        ideal=14.0,
        quiet=True,
        beside=(FurtherHost({"kind": "window", "limit": 10, "per": 2.0, "reply": RATE}),),
    ),
    Scenario(
        "host-many",
        "two hosts: one has too many connections for a minute, the other 20 messages in each 2 s",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": RATE},
        _mail("host-many", 300),
        ideal=28.0,
        quiet=True,
        beside=(
            FurtherHost({"kind": "once", "reply": TOO_MANY, "seconds": 60.0, "stage": "connect"}),
        ),
    ),
    Scenario(
        "host-busy",
        "two hosts: one is busy for a minute, the other takes 20 messages in each window of 2 s",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": RATE},
        _mail("host-busy", 300),
        ideal=28.0,
        quiet=True,
        beside=(FurtherHost({"kind": "once", "reply": BUSY, "seconds": 60.0, "stage": "connect"}),),
    ),
    Scenario(
        "host-dead",
        "two hosts: one refuses connections, the other takes 20 messages in each window of 2 s",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": RATE},
        _mail("host-dead", 300),
        ideal=28.0,
        quiet=True,
        beside=(FurtherHost(),),
    ),
    Scenario(
        "host-tarpit",
        "two hosts: one greets after 10 s, the other takes 20 messages in each window of 2 s",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": RATE},
        _mail("host-tarpit", 300),
        ideal=28.0,
        quiet=True,
        beside=(FurtherHost({"kind": "accept"}, greeting=10.0),),
    ),
    Scenario(
        "host-six",
        "by IPv6 it wants a PTR record (550), by IPv4 it takes 20 messages in each window of 2 s",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": RATE},
        _mail("host-six", 300),
        ideal=28.0,
        quiet=True,
        beside=(FurtherHost({"kind": "fixed", "reply": NO_SIX, "stage": "data"}, six=True),),
    ),
)
