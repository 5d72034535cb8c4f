"""``python -m qa`` is the ``qa`` command."""

from __future__ import annotations

import sys

from qa.cli import main

sys.exit(main())
