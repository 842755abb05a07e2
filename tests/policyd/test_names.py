"""Names in the configuration: what nothing will ever match is an error, with a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

import rules
from policyd.config import load
from policyd.errors import ConfigError
from policyd.receiver.rollup import Receivers

RIGHT = """
pacing:
  receivers: {google: {rate: 5}, mail.example.net: {rate: 1}, unknown: {rate: 1}, local: {rate: 9}}
  reactions: {flow.rate: {act: slow}, "reputation.*": {act: pause}, account.suspended: {act: pause}}
  retry: {any: {flow.greylist: [5m], net.tls: [5m]}, google: {flow.rate: [1m]}}
  classes: {bulk: {closed: [yahoo], domains: [.example.org], senders: [news.example.com]}}
serve:
  transports: {google: mx-google}
  submission:
    closed:
      a: {receivers: [gmx], domains: [example.org], senders: ["a@example.com"], classes: [bulk]}
"""
WRONG = [
    ("pacing: {reactions: {flow.rte: {act: slow}}}", "unknown category 'flow.rte'", "'flow.rate'"),
    ("pacing: {reactions: {flow.greylst: {act: slow}}}", "'flow.greylst'", "'flow.greylist'"),
    ("pacing: {reactions: {flo.*: {act: slow}}}", "'flo.*'", "'flow.*'"),
    ("pacing: {receivers: {gogle: {rate: 5}}}", "unknown receiver 'gogle'", "'google'"),
    ("pacing: {receivers: {gmail.com: {rate: 5}}}", "a domain of the receiver", "write google"),
    ("pacing: {receivers: {Google: {rate: 5}}}", "unknown receiver 'Google'", "'google'"),
    ("pacing: {receivers: {mx01.gmx.net: {rate: 5}}}", "a host of the receiver", "write gmx"),
    ("pacing: {retry: {gogle: {flow.rate: [1m]}}}", "unknown receiver 'gogle'", "'google'"),
    ("pacing: {retry: {any: {flow.rte: [1m]}}}", "'flow.rte'", "'flow.rate'"),
    ("pacing: {retry: {any: {net.tsl: [1m]}}}", "'net.tsl'", "'net.tls'"),
    ("pacing: {classes: {b: {closed: [gogle]}}}", "'gogle'", "'google'"),
    ("pacing: {classes: {b: {closed: {}}}}", "expected a text", "found a mapping"),
    ("pacing: {classes: {news: {}}}\nserve: {submission: {closed: {a: {classes: [nws]}}}}",
     "no class 'nws' in pacing.classes", "'news'"),
    ("pacing: {classes: {b: {domains: ['@example.org']}}}", "no domain", "write example.org"),
    ("serve: {transports: {gogle: mx-g}}", "'gogle'", "'google'"),
    ("serve: {submission: {closed: {a: {receivers: [yahho]}}}}", "'yahho'", "'yahoo'"),
    ("serve: {submission: {closed: {a: {domains: ['@x.example']}}}}", "no domain", "x.example"),
]  # fmt: skip


def _written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mxheed.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_names_that_exist_are_right(tmp_path: Path) -> None:
    """Receivers, own hosts, categories, families, socket errors and domains are taken."""
    assert load(_written(tmp_path, RIGHT)).pacing.receivers["google"].rate == 5


@pytest.mark.parametrize(("text", "said", "hint"), WRONG)
def test_a_name_that_names_nothing_is_told(tmp_path: Path, text: str, said: str, hint: str) -> None:
    """A wrong name is an error with its place and what was probably meant."""
    file = _written(tmp_path, text)
    with pytest.raises(ConfigError) as wrong:
        load(file)
    (told,) = str(wrong.value).splitlines()
    assert told.startswith(f"{file}:{text.count(chr(10)) + 1}:")
    assert said in told
    assert hint in told
    assert told.count(" or ") <= 5


def test_a_receiver_of_a_site_file_is_known(tmp_path: Path) -> None:
    """Who adds a receiver may set its limits."""
    (tmp_path / "site.yaml").write_text(
        "mxheed: 2\npack: site\nreceivers:\n  - {id: partner, mx: {suffix: [partner.example]}}\n",
        encoding="utf-8",
    )
    text = "rules: {site: [site.yaml]}\npacing: {receivers: {partner: {rate: 1}}}\n"
    assert load(_written(tmp_path, text)).pacing.receivers["partner"].rate == 1
    with pytest.raises(ConfigError, match="unknown receiver 'partner'"):
        load(_written(tmp_path, text.partition("\n")[2]))


@pytest.mark.parametrize("host", ["mx1.door.test", "m.example.co.uk", "192.0.2.1", "2001:db8::1"])
def test_whatever_a_host_is_rolled_up_to_can_be_configured(tmp_path: Path, host: str) -> None:
    """The names of `mxheed receivers`, the page and the metrics are names here."""
    receiver = Receivers(rules.load().receivers).of_host(host)
    file = _written(
        tmp_path,
        f'pacing: {{receivers: {{"{receiver}": {{rate: 5}}}}, classes: {{b: {{closed: ["*"]}}}}}}',
    )
    assert load(file).pacing.receivers[receiver].rate == 5
