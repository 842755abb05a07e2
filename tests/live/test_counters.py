"""What Prometheus tells is what the receivers saw."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

PROMETHEUS = "http://127.0.0.1:9090"
CONFIG = """\
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: mxheed
    static_configs: [{targets: ["127.0.0.1:9825"]}]
"""


def ask(lab: Lab, query: str) -> dict[tuple[str, ...], float]:
    """The values of a query by their labels' values, in the labels' order."""
    _, text = lab.http(f"{PROMETHEUS}/api/v1/query?query={quote(query)}")
    return {
        tuple(value for _, value in sorted(one["metric"].items())): float(one["value"][1])
        for one in json.loads(text)["data"]["result"]
    }


def start_prometheus(lab: Lab) -> None:
    """Debian's Prometheus, scraping mxheed every second."""
    lab.check("tee", "/run/prometheus.yml", text=CONFIG)
    command = ["prometheus", "--config.file=/run/prometheus.yml", "--storage.tsdb.path=/run/tsdb"]
    command += ["--web.listen-address=127.0.0.1:9090", "--log.level=error"]
    lab.call("spawn", name="prometheus", command=command, user="root", env={})
    lab.until(lambda: lab.http(f"{PROMETHEUS}/-/ready")[0] == 200, "Prometheus is ready")


def test_the_counters_in_prometheus_equal_what_the_receivers_saw(lab: Lab) -> None:
    """Four receivers, four kinds of answers: the same numbers on both sides."""
    lab.mxheed.start({"serve": {"submission": {"suspended": "dunno"}}})
    start_prometheus(lab)
    fine = lab.receiver("fine", domains=2)
    busy = lab.receiver("busy", "fixed", reply="450 4.2.1 sending too fast, retry=00:00:05")
    many = lab.receiver("many", "fixed", reply="552 5.5.3 Too many recipients")
    gone = lab.receiver("gone", "fixed", reply="550 5.1.1 User unknown")
    lab.submit(
        [f"u{number}@d{number % 2}.fine.test" for number in range(20)]
        + [f"u{number}@d0.{name}.test" for name in ("busy", "many", "gone") for number in range(4)]
    )
    lab.until(lambda: len(fine.taken()) == 20 and len(gone.refused()) == 4, "the mail is out")
    lab.until(lambda: busy.refused() and many.refused(), "the limits were hit")
    lab.check("postfix", "stop")  # nothing moves any more
    saw = {
        ("flow.rate", "mx:busy.test", "rcpt"): len(busy.refused()),
        ("flow.recipients", "mx:many.test", "rcpt"): len(many.refused()),
        ("recipient.unknown", "mx:gone.test", "rcpt"): len(gone.refused()),
    }
    query = 'sum by (receiver,category,stage) (mxheed_replies_total{stage="rcpt"})'
    try:
        lab.until(lambda: ask(lab, query) == saw, f"Prometheus says {saw}", 10)
    except Exception as wrong:
        wrong.add_note(f"it says {ask(lab, query)}")
        raise
    finally:
        lab.check("postfix", "start")
    outcomes = ask(lab, "sum by (receiver,outcome) (mxheed_deliveries_total)")
    assert outcomes[("sent", "mx:fine.test")] == 20
    assert outcomes[("bounced", "mx:gone.test")] == 4
    assert ("bounced", "mx:many.test") not in outcomes
    assert ask(lab, "sum(mxheed_log_unparsed_total)") == {(): 0.0}
