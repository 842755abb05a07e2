"""`python -m contrib.grafana.source`: writes the dashboards; `--check` only compares.

Contract: an exit code of 1 from `--check` where a file is not what this makes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from contrib.grafana.source import fleet, itself, overview, receiver

FOLDER = Path(__file__).resolve().parent.parent
FILES = {
    "overview.json": overview.DASHBOARD,
    "receiver.json": receiver.DASHBOARD,
    "fleet.json": fleet.DASHBOARD,
    "itself.json": itself.DASHBOARD,
}


def main() -> int:
    """Write them, or compare."""
    stale = []
    for name, value in FILES.items():
        path, text = FOLDER / name, json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"not as made: {', '.join(stale)}: say `make dashboards`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
