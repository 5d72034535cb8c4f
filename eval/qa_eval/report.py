"""A run's figures as a table for the terminal and as a page that needs no network.

Everything that documents, questions or the model said is escaped: it is shown, never run.

Example: ``print(table(figures))``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from qa_eval.data import Item
from qa_eval.run import Row, wrong

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid
#ccc} td.n{text-align:right;font-variant-numeric:tabular-nums}details{margin:.5rem 0;padding:.3rem
.8rem;
background:#f6f6f4;border-radius:.4rem}.bar{display:inline-block;height:.7rem;background:#2f6f5e}
@media(prefers-color-scheme:dark){body{background:#151515;color:#ddd}details{background:#222}}"""


def table(figures: Mapping[str, object]) -> str:
    """Return the figures as aligned lines: name, mean, 95 % interval, number of questions."""
    return "\n".join(f"{name:<28} {_plain(value)}" for name, value in figures.items())


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return f"{value['mean']:.3f}  [{value['low']:.3f}, {value['high']:.3f}]  n={value['n']}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def write_html(
    path: Path, items: Sequence[Item], rows: Sequence[Row], figures: Mapping[str, object]
) -> None:
    """Write the page: figures with bars, then every prediction to look at with its sources."""
    body = [
        f"<tr><th>{escape(name)}<td class=n>{escape(_plain(value))}<td>{_bar(value)}"
        for name, value in figures.items()
    ]
    cases = "".join(_case(row) for row in wrong(items, rows))
    page = (
        f'<!doctype html><meta charset="utf-8"><title>qa eval</title><style>{_STYLE}</style>'
        f"<h1>qa eval</h1><table>{''.join(body)}</table><h2>To look at</h2>{cases}"
    )
    path.write_text(page, encoding="utf-8")


def _bar(value: object) -> str:
    mean = value["mean"] if isinstance(value, dict) else value
    share = mean if isinstance(mean, float) and 0 <= mean <= 1 else 0.0
    return f'<span class=bar style="width:{share * 12:.2f}rem"></span>'


def _case(row: Row) -> str:
    said = escape(str(row["text"]))
    fields = ("kind", "standalone", "confidence", "answers", "citations", "considered", "notices")
    details = "".join(f"<li>{escape(name)}: {escape(str(row.get(name)))}" for name in fields)
    return (
        f"<details><summary>{escape(str(row['id']))} · {escape(str(row['question']))}</summary>"
        f"<p>{said}<ul>{details}</ul></details>"
    )
