"""A run's figures as tables for the terminal and as one page that fetches nothing.

What documents, questions or the model said is escaped; besides, the page's policy lets only its own
script run and nothing be loaded.

Example: ``print(table(run))``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from qa_eval import plots
from qa_eval.bootstrap import Figure
from qa_eval.data import Item
from qa_eval.figures import GROUP_MEASURES
from qa_eval.predictions import Pointer, Prediction
from qa_eval.score import Score, gold_sets
from qa_eval.wrong import Part, context, reasons


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: what was asked and answered, and what that was worth.

    ``texts`` is the canonical text by document id; ``heading`` says what ran on what.
    """

    heading: str
    items: Sequence[Item]
    predictions: Sequence[Prediction]
    scores: Sequence[Score]
    texts: Mapping[str, str]
    figures: Mapping[str, Figure]
    groups: Mapping[str, Mapping[str, Figure]]


def table(run: Run) -> str:
    """Return the figures as aligned lines, then a line for each kind and tag."""
    lines = [run.heading, ""]
    lines += [f"{name:<26} {_shown(figure)}" for name, figure in run.figures.items()]
    widths = {name: len(name) + 2 for name in GROUP_MEASURES}
    heads = "".join(f"{name:>{width}}" for name, width in widths.items())
    lines += ["", f"{'':<26}{'n':>6}{heads}"]
    for name, row in run.groups.items():
        shown = (f"{row[m].value:.3f}" if m in row else "" for m in GROUP_MEASURES)
        cells = (f"{cell:>{width}}" for cell, width in zip(shown, widths.values(), strict=True))
        lines.append(f"{name:<26}{_questions(row):>6}{''.join(cells)}".rstrip())
    return "\n".join(lines)


def _questions(row: Mapping[str, Figure]) -> int:
    return max(figure.n for figure in row.values())


def _shown(figure: Figure) -> str:
    between = f"[{figure.low:.3f}, {figure.high:.3f}]" if figure.low is not None else ""
    return f"{figure.value:.3f}  {between}  n={figure.n}"


def cases(run: Run) -> list[tuple[Item, Prediction, list[str]]]:
    """Return the answers that something is wrong with, and what."""
    rows = zip(run.items, run.predictions, run.scores, strict=True)
    found = ((item, made, reasons(item, made, score)) for item, made, score in rows)
    return [(item, made, why) for item, made, why in found if why]


def write_html(path: Path, run: Run) -> None:
    """Write the page: tables, plots, then every wrong answer to look at with its sources."""
    wrong = cases(run)
    kinds = sorted({name for item, _, _ in wrong for name in (item.kind, *item.tags)})
    drawings = (
        plots.kind_plot(run.groups),
        plots.reliability_plot(run.scores),
        plots.risk_plot(run.scores),
        plots.latency_plot([made.latency_s for made in run.predictions]),
    )
    options = "".join(f"<option>{escape(kind)}" for kind in kinds)
    body = [
        f"<h1>qa eval</h1><p>{escape(run.heading)}",
        "<h2>Figures</h2><p>95 % intervals: documents drawn with replacement.",
        _figures(run.figures),
        "<h2>By kind and tag</h2>",
        _groups(run.groups),
        f"<h2>Plots</h2><div class=plots>{''.join(f'<div>{one}</div>' for one in drawings)}</div>",
        f"<h2>To look at: <span id=count>{len(wrong)}</span> of {len(run.items)}</h2>",
        f"<p><label>Kind or tag: <select id=kind><option value=''>all{options}</select></label>",
        "<p>In the texts, <mark class=gold>gold sentences</mark>, <mark class=cited>cited ones"
        "</mark> and <mark class='gold cited'>both</mark> are marked.",
        *(_case(item, made, why, run.texts) for item, made, why in wrong),
        f"<script>{_SCRIPT}</script>",
    ]
    path.write_text(_HEAD + "\n".join(body), encoding="utf-8")


def _figures(figures: Mapping[str, Figure]) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}<td class=n>{figure.value:.3f}<td class=n>{_interval(figure)}"
        f"<td class=n>{figure.n}<td>{_bar(figure.value)}"
        for name, figure in figures.items()
    )
    return f"<table><tr><th>measure<th>value<th>95 % interval<th>questions<th>{rows}</table>"


def _interval(figure: Figure) -> str:
    return f"{figure.low:.3f} – {figure.high:.3f}" if figure.low is not None else ""


def _bar(value: float) -> str:
    if not 0 <= value <= 1:  # a count
        return ""
    return f'<span class=bar style="width:{value * 10:.2f}rem"></span>'


def _groups(groups: Mapping[str, Mapping[str, Figure]]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in ("questions", *GROUP_MEASURES))
    rows = ""
    for name, row in groups.items():
        cells = "".join(
            f"<td class=n title='{_interval(row[m])}'>{row[m].value:.3f}" if m in row else "<td>"
            for m in GROUP_MEASURES
        )
        rows += f"<tr><th>{escape(name)}<td class=n>{_questions(row)}{cells}"
    return f"<table><tr><th>{head}{rows}</table>"


def _case(item: Item, made: Prediction, why: Sequence[str], texts: Mapping[str, str]) -> str:
    """Show one answer: question, why it is wrong, what was wanted, what was said, the sources."""
    kinds = " ".join((item.kind, *item.tags))
    gold = list(dict.fromkeys(pointer for option in gold_sets(item) for pointer in option))
    lines = [
        f"<details class=case data-kinds='{escape(kinds)}'>"
        f"<summary><b>{escape(item.id)}</b> {escape(item.question)}"
        f"<br><small>{escape(kinds)}: {escape('; '.join(why))}</small></summary>"
    ]
    lines += [f"<p>before: {escape(t.question)} → {escape(t.answer)}" for t in item.history]
    if made.standalone not in ("", item.question):
        lines.append(f"<p>understood as: {escape(made.standalone)}")
    lines.append(f"<p><b>said</b> (confidence {made.confidence:.2f}): {escape(made.text)}")
    if made.draft and made.draft.strip() != made.text:
        lines.append(f"<p>written before the check: {escape(made.draft)}")
    if item.answers:
        lines.append(f"<p><b>accepted</b>: {escape(' | '.join(item.answers))}")
    lines.append(_sentences("gold sentences", gold, texts))
    lines.append(_sentences("cited sentences", made.citations, texts))
    lines += [f"<p>note: {escape(notice)}" for notice in made.notices]
    for document in dict.fromkeys((item.document, *(c.document for c in made.citations))):
        parts = context(
            texts[document],
            [pointer for pointer in gold if pointer.document == document],
            [pointer for pointer in made.citations if pointer.document == document],
        )
        shown = "".join(map(_part, parts))
        lines.append(f"<p class=text><b>{escape(document)}</b><br>{shown}")
    return "\n".join([*lines, "</details>"])


def _sentences(title: str, pointers: Sequence[Pointer], texts: Mapping[str, str]) -> str:
    rows = (
        f"<li>{escape(texts[p.document][p.start : p.end])} "
        f"<small>{escape(p.document)} {p.start}–{p.end}</small>"
        for p in pointers
    )
    return f"<p><b>{title}</b>: {'' if pointers else 'none'}<ul>{''.join(rows)}</ul>"


def _part(part: Part) -> str:
    text = escape(part.text).replace("\n", "<br>")
    names = [name for name in ("gold", "cited") if getattr(part, name)]
    return f"<mark class='{' '.join(names)}'>{text}</mark>" if names else text


_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;
color:#222;background:#fff}table{border-collapse:collapse}
td,th{padding:.15rem .8rem;text-align:left;border-bottom:1px solid #ccc}
th{font-weight:normal}td.n{text-align:right;font-variant-numeric:tabular-nums}
.bar{display:inline-block;height:.7rem;background:#2f6f5e}
.plots{display:flex;flex-wrap:wrap;gap:1rem}.plots div{background:#fff}
details{margin:.5rem 0;padding:.3rem .8rem;background:#f4f4f1;border-radius:.4rem}
summary{cursor:pointer}.text{border-left:3px solid #bbb;padding-left:.8rem}
mark{background:none;color:inherit}mark.gold{border-bottom:3px solid #2f6f5e}
mark.cited{background:#ffe4b3;color:#222}
@media(prefers-color-scheme:dark){body{background:#151515;color:#ddd}details{background:#222}}"""
_SCRIPT = """const kind=document.getElementById("kind"),count=document.getElementById("count");
const cases=[...document.querySelectorAll(".case")];
kind.addEventListener("change",()=>{let shown=0;for(const one of cases){
one.hidden=kind.value!==""&&!one.dataset.kinds.split(" ").includes(kind.value);shown+=!one.hidden}
count.textContent=shown})"""
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>qa eval</title>'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    f"style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'\">"
    f"<style>{_STYLE}</style>"
)
