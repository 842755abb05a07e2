"""Two instances of Postfix on one machine, paced by one mxheed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

OUT = "/run/postfix-out"  # its config directory
QUEUE = "/run/queue-out"
PORT = 2525
BUSY = "421 4.7.28 Our system has detected an unusual rate of mail from your address"
MESSAGES = 60
CONFIG = {
    "serve": {
        "socketmap": [f"unix:{at}/mxheed/socketmap" for at in ("/var/spool/postfix", QUEUE)],
        "policy": [f"unix:{at}/mxheed/policy" for at in ("/var/spool/postfix", QUEUE)],
        "submission": {"suspended": "dunno"},
    },
    "release": {"config_directory": ["/etc/postfix", OUT]},
}


@pytest.fixture
def both(lab: Lab) -> Iterator[Lab]:
    """The lab with a second instance, made the way postmulti does it, that listens on PORT."""
    lab.check("cp", "-a", "/etc/postfix", OUT)
    lab.check("install", "-d", QUEUE)
    lab.check("install", "-d", "-o", "postfix", "/run/data-out")
    own = (f"queue_directory={QUEUE}", "data_directory=/run/data-out", "syslog_name=postfix-out")
    lab.check("postconf", "-c", OUT, "-e", *own)
    lab.check("postconf", "-c", OUT, "-MX", "smtp/inet")
    lab.check("postconf", "-c", OUT, "-Me", f"{PORT}/inet={PORT} inet n - y - - smtpd")
    lab.check("postconf", "-e", f"alternate_config_directories={OUT}")
    lab.check("postfix", "-c", OUT, "check")
    furniture = "for name in etc lib usr; do test ! -e $name || cp -a $name"  # Debian 13 has no lib
    lab.check("sh", "-c", f"cd /var/spool/postfix && {furniture} {QUEUE}; done")
    lab.check("postfix", "-c", OUT, "start")
    lab.check("install", "-d", "-o", "mxheed", "-g", "postfix", "-m", "2750", f"{QUEUE}/mxheed")
    yield lab
    lab.mxheed.stop()
    lab.check("postfix", "-c", OUT, "stop")
    lab.check("rm", "-rf", OUT, QUEUE, "/run/data-out")
    lab.configure()


def test_two_instances_share_one_receivers_limit(both: Lab) -> None:
    """Mail of both is held for the one receiver's limit and let go, by an unprivileged mxheed."""
    both.mxheed.start(CONFIG)
    ran = both.mxheed.cli("doctor", "--config", "/run/mxheed.yaml", user="root")
    assert (ran.code, ran.out.count("can let held messages go")) == (0, 1), ran.out
    busy = both.receiver("busy", "window", domains=10, limit=10, per=1.0, reply=BUSY)
    mail = [f"u{number}@d{number % 10}.busy.test" for number in range(MESSAGES)]
    both.submit(mail[::2])
    both.submit(mail[1::2], port=PORT)
    both.until(lambda: len(busy.taken()) >= MESSAGES, "all is delivered", 40)
    assert sorted(busy.taken()) == sorted(mail)
    assert len(busy.refused()) < 0.5 * (MESSAGES - 10)  # of what stock has refused at once
    held = [line for line in both.postfix.deliveries("deferred") if "filter drops" in line]
    assert {line.split()[4].partition("/")[0] for line in held} == {"postfix", "postfix-out"}
