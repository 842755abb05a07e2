"""`python -m policyd.cli`: the same as the `mxheed` command."""

from __future__ import annotations

import sys

from policyd.cli import main

sys.exit(main())
