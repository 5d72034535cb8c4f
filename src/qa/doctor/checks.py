"""What one check found, and how all of them are shown.

Example: ``render((Check("Python", "ok", "3.12.3"),))``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "problem"]

SETUP = "make setup, or pip install 'qa-sentence-citations[embedded,encoder]'"
"""The remedy where a package is missing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``remedy`` says what to do when it is not ok."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def render(checks: tuple[Check, ...]) -> str:
    """Return the checks as text, a line each, with its remedy below."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        first, *more = check.detail.splitlines() or [""]
        lines.append(f"{check.status:<8} {check.name:<{width}}  {first}")
        lines += [f"{'':<{width + 9}}  {line}" for line in more]
        if check.remedy:
            lines.append(f"{'':<{width + 9}}  -> {check.remedy}")
    counts = [
        f"{count} {status}{'s' if count > 1 else ''}"
        for status in ("problem", "warning")
        if (count := sum(check.status == status for check in checks))
    ]
    return "\n".join([*lines, "", ", ".join(counts) if counts else "everything is in order"])


def gb(size_bytes: int) -> str:
    """Return a size as people read it."""
    return f"{size_bytes / 1e9:.1f} GB"
