"""Frames in which the lines of an MTA come, and lines of other programs in the same frames.

A frame takes what a program logs (name, agent, process, text) and gives the bytes of a line as one
collector or another writes it. All of them tell the same second, `TIME`, or none (`UNDATED`).
`UNREADABLE` are frames whose lines are not read as deliveries.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

__all__ = ["FRAMES", "TIME", "UNDATED", "UNREADABLE", "Said", "local"]

TIME = 1_770_091_506  # 2026-02-03 04:05:06 UTC
MICROSECONDS = TIME * 1_000_000


class Said(NamedTuple):
    """What a program wants in the log."""

    program: str
    pid: int
    text: str
    offset: int = 0  # minutes east of UTC, where the frame is in local time

    @property
    def tag(self) -> str:
        """As syslog writes it."""
        return f"{self.program}[{self.pid}]: {self.text}"


def local(said: Said, form: str) -> str:
    """The time in the log's zone."""
    zone = timezone(timedelta(minutes=said.offset))
    return datetime.fromtimestamp(TIME, zone).strftime(form)


def zone(said: Said, colon: bool = True) -> str:
    """The zone of the log's stamps."""
    found = local(said, "%z")
    return f"{found[:3]}:{found[3:]}" if colon else found


def utc(form: str) -> str:
    return datetime.fromtimestamp(TIME, UTC).strftime(form)


def iso(said: Said, blank: str = "T") -> str:
    return local(said, f"%Y-%m-%d{blank}%H:%M:%S")


def bsd(said: Said, pad: str = "%e") -> str:
    return local(said, f"%b {pad} %H:%M:%S")


def jsonl(**fields: object) -> str:
    return json.dumps(fields)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


FRAMES: dict[str, Callable[[Said], str]] = {
    # syslog daemons
    "rfc 3164": lambda s: f"{bsd(s)} mx1 {s.tag}",
    "postlogd": lambda s: f"{bsd(s, '%d')} mx1 {s.tag}",
    "forwarded": lambda s: f"<22>{bsd(s)} mx1 {s.tag}",
    "rfc 3339": lambda s: f"{iso(s)}.123456{zone(s)} mx1 {s.tag}",
    "rfc 5424": lambda s: f"<22>1 {iso(s)}.123456{zone(s)} mx1 {s.program} {s.pid} - - {s.text}",
    "rfc 5424 without priority": lambda s: (
        f'1 {iso(s)}{zone(s)} mx1 {s.program} {s.pid} - [o@1 a="b c"] {s.text}'
    ),
    "year first": lambda s: f"{local(s, '%Y %b %e %H:%M:%S')}.123 mx1 {s.tag}",
    "year behind": lambda s: f"{local(s, '%b %e %Y %H:%M:%S')} mx1 {s.tag}",
    "level in place of the host": lambda s: f"{iso(s)}.123456{zone(s)} INFO    {s.tag}",
    "facility and level": lambda s: f"{bsd(s)} mx1 mail.info {s.tag}",
    "level behind the host": lambda s: f"{bsd(s)} mx1 info {s.tag}",
    "numbers as FreeBSD writes them": lambda s: f"{bsd(s)} <2.6> mx1 {s.tag}",
    "names as FreeBSD writes them": lambda s: f"{bsd(s)} <mail.info> mx1 {s.tag}",
    "Solaris": lambda s: f"{bsd(s)} mx1 {s.program}[{s.pid}]: [ID 197553 mail.info] {s.text}",
    "no process": lambda s: f"{bsd(s)} mx1 {s.program}: {s.text}",
    "a chain of hosts": lambda s: f"{bsd(s)} s_net@relay/192.0.2.7 {s.tag}",
    "an address for a host": lambda s: f"{bsd(s)} 2001:db8::25 {s.tag}",
    "ctime": lambda s: f"{local(s, '%a %b %e %H:%M:%S %Y')} mx1 {s.tag}",
    "mail's date": lambda s: f"{local(s, '%a, %d %b %Y %H:%M:%S %z')} mx1 {s.tag}",
    "web server's date": lambda s: f"[{local(s, '%d/%b/%Y:%H:%M:%S %z')}] mx1 {s.tag}",
    "German date": lambda s: f"{local(s, '%d.%m.%Y %H:%M:%S')} mx1 {s.tag}",
    "slashes": lambda s: f"{local(s, '%Y/%m/%d %H:%M:%S')} mx1 {s.tag}",
    "comma and milliseconds": lambda s: f"{iso(s, ' ')},123 mx1 {s.tag}",
    "compact": lambda s: f"{utc('%Y%m%dT%H%M%SZ')} mx1 {s.tag}",
    "brackets": lambda s: f"[{iso(s, ' ')}] mx1 {s.tag}",
    "a colon behind the time": lambda s: f"{iso(s, ' ')}: {s.tag}",
    "märz": lambda s: f"{bsd(s).replace('Feb', 'févr.')} mx1 {s.tag}",
    "day first": lambda s: f"{local(s, '%e')}. {bsd(s)[:3]} {local(s, '%H:%M:%S')} mx1 {s.tag}",
    # journalctl -o …
    "short-precise": lambda s: f"{bsd(s, '%d')}.123456 mx1 {s.tag}",
    "short-iso": lambda s: f"{iso(s)}{zone(s, False)} mx1 {s.tag}",
    "short-iso-precise": lambda s: f"{iso(s)}.123456{zone(s)} mx1 {s.tag}",
    "short-full": lambda s: f"{utc('%a %Y-%m-%d %H:%M:%S UTC')} mx1 {s.tag}",
    "short-unix": lambda s: f"{TIME}.123456 mx1 {s.tag}",
    "short-monotonic": lambda s: f"[ 4711.123456] mx1 {s.tag}",
    "journal json": lambda s: jsonl(
        __CURSOR="s=1;i=2", __REALTIME_TIMESTAMP=str(MICROSECONDS), _HOSTNAME="mx1",
        SYSLOG_IDENTIFIER=s.program, SYSLOG_PID=str(s.pid), MESSAGE=s.text,
    ),
    # containers
    "docker logs -t": lambda s: f"{utc('%Y-%m-%dT%H:%M:%S')}.1Z {bsd(s)} mx1 {s.tag}",
    "docker logs -t, bare": lambda s: f"{utc('%Y-%m-%dT%H:%M:%S')}.123456789Z {s.tag}",
    "docker compose": lambda s: f"smtp-1  | {bsd(s)} mx1 {s.tag}",
    "docker compose, bare": lambda s: f"smtp-1  | {s.tag}",
    "docker compose -t": lambda s: f"smtp-1  | {utc('%Y-%m-%dT%H:%M:%S')}.123456789Z {s.tag}",
    "docker": lambda s: jsonl(
        log=f"{bsd(s)} mx1 {s.tag}\n", stream="stdout", time=utc("%Y-%m-%dT%H:%M:%S.1Z")
    ),
    "kubernetes": lambda s: f"{utc('%Y-%m-%dT%H:%M:%S')}.1Z stdout F {bsd(s)} mx1 {s.tag}",
    "s6-log": lambda s: f"@4{TIME + 10:015x}00000000 {s.tag}",
    "bare": lambda s: s.tag,
    # shippers
    "vector": lambda s: jsonl(
        appname=s.program, facility="mail", host="mx1", message=s.text, procid=s.pid,
        severity="info", source_type="syslog", timestamp=utc("%Y-%m-%dT%H:%M:%SZ"),
    ),
    "vector's file source": lambda s: jsonl(
        file="/var/log/mail.log", host="mx1", message=f"{bsd(s)} mx1 {s.tag}",
        timestamp=utc("%Y-%m-%dT%H:%M:%S.123Z"),
    ),
    "fluent-bit": lambda s: jsonl(
        date=TIME + 0.5, pri="22", host="mx1", ident=s.program, pid=str(s.pid), message=s.text
    ),
    "fluent-bit, unparsed": lambda s: jsonl(date=TIME, log=f"{bsd(s)} mx1 {s.tag}"),
    "graylog": lambda s: jsonl(
        version="1.1", host="mx1", short_message=s.text, timestamp=TIME,
        _application_name=s.program, _process_id=s.pid,
    ),
    "elastic": lambda s: json.dumps({
        "@timestamp": utc("%Y-%m-%dT%H:%M:%S.000Z"), "message": s.text,
        "process": {"name": s.program, "pid": s.pid}, "host": {"hostname": "mx1"},
    }),
    "logfmt": lambda s: (
        f"time={iso(s)}{zone(s)} level=info program={s.program} pid={s.pid} "
        'msg="' + _quoted(s.text) + '"'
    ),
    # found later, in the documents of other collectors
    "OpenWrt": lambda s: f"{local(s, '%a %b %e %H:%M:%S %Y')} mail.info {s.tag}",
    "busybox": lambda s: f"{bsd(s)} mail.info {s.tag}",
    "AIX": lambda s: f"{bsd(s)} mx1 mail:info {s.tag}",
    "macOS": lambda s: f"{iso(s, ' ')}.123456{zone(s, False)}  localhost {s.tag}",
    "ts of moreutils": lambda s: f"{bsd(s, '%d')} {bsd(s)} mx1 {s.tag}",
    "svlogd": lambda s: f"{utc('%Y-%m-%d_%H:%M:%SZ')} mx1 {s.tag}",
    "socklog": lambda s: f"{utc('%Y-%m-%d_%H:%M:%SZ')} mail.info: {bsd(s)} {s.tag}",
    "docker swarm": lambda s: f"mail_smtp.1.x7k2@node1    | {bsd(s)} mx1 {s.tag}",
    "kubectl": lambda s: f"[pod/postfix-0/postfix] {bsd(s)} mx1 {s.tag}",
    "supervisord": lambda s: f"postfix stdout | {bsd(s)} mx1 {s.tag}",
    "short-delta": lambda s: f"[ 4711.123456 <    0.000123 >] mx1 {s.tag}",
    "no host": lambda s: f"{bsd(s, '%d')} {s.tag}",
    "CloudWatch": lambda s: f"{utc('%Y-%m-%dT%H:%M:%SZ')} mail/i-0abc {bsd(s)} mx1 {s.tag}",
    "Cloud Logging": lambda s: jsonl(
        insertId="1x", timestamp=utc("%Y-%m-%dT%H:%M:%SZ"), textPayload=f"{bsd(s)} mx1 {s.tag}"
    ),
    "Fluentd's file": lambda s: f"{utc('%Y-%m-%dT%H:%M:%S')}+00:00\tmail.log\t"
    + jsonl(host="mx1", ident=s.program, pid=str(s.pid), message=s.text),
    "logcli": lambda s: (
        f'{utc("%Y-%m-%dT%H:%M:%SZ")} {{host="mx1", job="mail"}} {bsd(s)} mx1 {s.tag}'
    ),
    "syslog-ng's json": lambda s: jsonl(
        PROGRAM=s.program, PRIORITY="info", PID=str(s.pid), MESSAGE=s.text, HOST="mx1",
        ISODATE=f"{iso(s)}{zone(s)}",
    ),
    "rsyslog's json": lambda s: json.dumps({
        "@timestamp": f"{iso(s)}{zone(s)}", "host": "mx1", "message": f" {s.text}",
        "syslogtag": f"{s.program}[{s.pid}]:",
    }),
    "pri-text": lambda s: f"{iso(s)}{zone(s)} mail.info<22> mx1 {s.tag}",
    "cee": lambda s: f"{bsd(s)} mx1 {s.program}[{s.pid}]: @cee: {jsonl(msg=s.text)}",
    "OpenTelemetry": lambda s: jsonl(
        Timestamp=TIME * 10**9, Body=s.text,
        Attributes={"appname": s.program, "proc_id": str(s.pid)},
    ),
    "Loki": lambda s: jsonl(ts=utc("%Y-%m-%dT%H:%M:%S.0Z"), line=f"{bsd(s)} mx1 {s.tag}"),
    "grep -n": lambda s: f"12345:{bsd(s)} mx1 {s.tag}",
    "grep -H": lambda s: f"/var/log/mail.log:{bsd(s)} mx1 {s.tag}",
    "tabs": lambda s: f"{iso(s, ' ')}\tmx1\t{s.tag}",
    "long months": lambda s: f"{local(s, '%e %B %Y %H:%M:%S')} mx1 {s.tag}",
    # of other collectors' consoles, relays, viewers and clocks
    "welf": lambda s: (
        f'PROGRAM={s.program} PRIORITY=info PID={s.pid} MESSAGE="{_quoted(s.text)}" HOST=mx1'
        f' DATE="{bsd(s)}"'
    ),
    "syslog-ng's json with a date": lambda s: jsonl(
        SOURCE="s_net", PROGRAM=s.program, PID=str(s.pid), MESSAGE=s.text, HOST="mx1",
        LEGACY_MSGHDR=f"{s.program}[{s.pid}]: ", DATE=bsd(s),
    ),
    "rsyslog's whole message": lambda s: jsonl(
        msg=f" {s.text}", rawmsg=f"<22>{bsd(s)} mx1 {s.tag}", timereported=iso(s) + zone(s),
        hostname="mx1", syslogtag=f"{s.program}[{s.pid}]:", programname=s.program.split("/")[0],
        procid=str(s.pid), uuid=None,
    ),
    "rsyslog's tag": lambda s: json.dumps({
        "@timestamp": iso(s) + zone(s), "host": "mx1", "tag": f"{s.program}[{s.pid}]:",
        "message": f" {s.text}",
    }),
    "Fluentd's console": lambda s: (
        f"{utc('%Y-%m-%d %H:%M:%S')}.000000000 +0000 mail.log: "
        + jsonl(host="mx1", ident=s.program, pid=str(s.pid), message=s.text)
    ),
    "vector's own json": lambda s: jsonl(log={
        "appname": s.program, "hostname": "mx1", "message": s.text, "procid": s.pid,
        "timestamp": utc("%Y-%m-%dT%H:%M:%SZ"),
    }),
    "grok's fields": lambda s: jsonl(
        syslog_message=s.text, syslog_program=s.program, syslog_hostname="mx1",
        syslog_pid=str(s.pid), syslog_timestamp=bsd(s),
    ),
    "Elastic's dump": lambda s: jsonl(_index="mail", _source={
        "@timestamp": utc("%Y-%m-%dT%H:%M:%S.000Z"), "message": f"{bsd(s)} mx1 {s.tag}",
    }),
    "an element of an array": lambda s: jsonl(
        host="mx1", ident=s.program, pid=str(s.pid), message=s.text, date=TIME
    ) + ",",
    "a number, as routers count": lambda s: f"000123: {bsd(s)}.123: {s.tag}",
    "colours": lambda s: f"\x1b[32m{bsd(s)}\x1b[0m \x1b[1mmx1\x1b[0m {s.tag}",
    "a coloured tag": lambda s: f"{bsd(s)} mx1 \x1b[36m{s.program}\x1b[0m[{s.pid}]: {s.text}",
    "journalctl's colours": lambda s: f"{bsd(s)} mx1 {s.program}[{s.pid}]: \x1b[1m{s.text}\x1b[0m",
    "syslog over tcp": lambda s: (
        f"256 <22>1 {iso(s)}{zone(s)} mx1 {s.program} {s.pid} - - {s.text}"
    ),
    "rfc 3164 over tcp": lambda s: f"178 <22>{bsd(s)} mx1 {s.tag}",
    "date": lambda s: f"{utc('%a %b %e %H:%M:%S UTC %Y')} mx1 {s.tag}",
    "a clock of twelve hours": lambda s: f"{local(s, '%a %d %b %Y %I:%M:%S %p')} mx1 {s.tag}",
    "hours of the zone": lambda s: f"{utc('%Y-%m-%d %H:%M:%S')}.123+00 mx1 {s.tag}",
    "Go": lambda s: f"{utc('%Y-%m-%d %H:%M:%S')}.123456 +0000 UTC mx1 {s.tag}",
    "no labels": lambda s: f"{utc('%Y-%m-%dT%H:%M:%SZ')} {{}} {bsd(s)} mx1 {s.tag}",
    "relayed twice": lambda s: f"<22>{bsd(s)} relay <22>{bsd(s)} mx1 {s.tag}",
    "a relay that reads no tag": lambda s: (
        f"<22>1 {utc('%Y-%m-%dT%H:%M:%SZ')} relay - - - - {bsd(s)} mx1 {s.tag}"
    ),
    "lnav": lambda s: f"mail.log| {bsd(s)} mx1 {s.tag}",
    "numbered lines": lambda s: f"    12\t{bsd(s)} mx1 {s.tag}",
    "counted lines": lambda s: f"      3 {bsd(s)} mx1 {s.tag}",
    "Docker in the journal": lambda s: jsonl(
        __REALTIME_TIMESTAMP=str(MICROSECONDS), _HOSTNAME="node1", _PID="812",
        SYSLOG_IDENTIFIER="3f2a9b1c2d3e", MESSAGE=f"{utc('%b %d %H:%M:%S')} mx1 {s.tag}",
    ),
    "Docker in syslog": lambda s: f"{bsd(s)} node1 3f2a9b1c2d3e[812]: {bsd(s)} mx1 {s.tag}",
    "Podman": lambda s: f"{bsd(s)} node1 postfix[812]: {bsd(s)} mx1 {s.tag}",
    "no time in rfc 5424": lambda s: f"<22>1 - mx1 {s.program} {s.pid} - - {s.text}",
}  # fmt: skip

# what is not read, and told: several records in a line, tables, and names that anybody may choose
UNREADABLE: dict[str, Callable[[Said], str]] = {
    "Fluent Bit's console": lambda s: (
        f'[0] mail: [[{TIME}.000000000, {{}}], {{"log"=>"{_quoted(f"{bsd(s)} mx1 {s.tag}")}"}}]'
    ),
    "json over several lines": lambda s: f'        "MESSAGE" : {json.dumps(s.text)},',
    "journalctl -o verbose": lambda s: f"    MESSAGE={s.text}",
    "OpenTelemetry's file": lambda s: jsonl(resourceLogs=[{"scopeLogs": [{"logRecords": [
        {"timeUnixNano": str(TIME * 10**9), "body": {"stringValue": f"{bsd(s)} mx1 {s.tag}"}}
    ]}]}]),
    "Loki's push": lambda s: jsonl(streams=[{"values": [[str(TIME * 10**9), s.tag]]}]),
    "an array": lambda s: json.dumps([{"ident": s.program, "message": s.text, "date": TIME}]),
    "line protocol": lambda s: (
        f'syslog,appname={s.program},host=mx1 message="{_quoted(s.text)}" {TIME * 10**9}'
    ),
    "Splunk's table": lambda s: f'"{iso(s)}{zone(s)}","mx1","{bsd(s)} mx1 {s.tag}"',
    "Papertrail's table": lambda s: f"12\t{iso(s)}Z\tmx1\tMail\tInfo\t{s.program}\t{s.text}",
    "semicolons": lambda s: f"{iso(s, ' ')};mx1;{s.program};{s.pid};{s.text}",
    "commas": lambda s: f"{iso(s)}Z,mx1,{s.program}[{s.pid}],{s.text}",
    "bars": lambda s: f"{iso(s, ' ')}|mx1|mail|info|{s.program}[{s.pid}]|{s.text}",
    "quotes": lambda s: f'"{bsd(s)} mx1 {s.tag}"',
    "diff": lambda s: f"+{bsd(s)} mx1 {s.tag}",
    "stern": lambda s: f"postfix-0 postfix {bsd(s)} mx1 {s.tag}",
    "Kafka": lambda s: f"CreateTime:{TIME}000\tmx1\t{bsd(s)} mx1 {s.tag}",
    "rsyslog's debug format": lambda s: f"msg: ' {s.text}'",
    "a container of any name": lambda s: f"{bsd(s)} node1 mailserver[812]: {bsd(s)} mx1 {s.tag}",
    "an image's name": lambda s: f"{bsd(s)} node1 docker/postfix[812]: {bsd(s)} mx1 {s.tag}",
    "Heroku": lambda s: f"{iso(s)}.123456{zone(s)} app[postfix.1]: {bsd(s)} mx1 {s.tag}",
}  # fmt: skip

# these tell no time, or one that starts with the machine
UNDATED = frozenset(
    {"short-monotonic", "short-delta", "docker compose, bare", "bare", "no time in rfc 5424"}
)
