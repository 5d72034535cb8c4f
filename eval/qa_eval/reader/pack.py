"""A reader's row → token arrays: the rules and the passage, then every question with its answer.

Example: ``pack(row, encode).ids``, where ``encode`` turns text into token ids.
"""

from __future__ import annotations

from qa.prompt import no_answer, read_prompt
from qa_eval.adapters.pack import END, Avoided, Encode, Packed, lay_out, turn
from qa_eval.reader.rows import UNWRITTEN, Asked, Row


def pack(row: Row, encode: Encode) -> Packed:
    """Lay out one row."""
    head, _ = _parts(row, row.asked[0].question)
    refusal = f"{no_answer(row.language)}."
    asked = [(_parts(row, one.question)[1], _answer(one, refusal)) for one in row.asked]
    return lay_out(head, asked, encode)


def _answer(one: Asked, refusal: str) -> str | Avoided:
    if one.answer == UNWRITTEN:
        return Avoided(refusal)
    return (one.answer or refusal) + END


def _parts(row: Row, question: str) -> tuple[str, str]:
    """Return the rendered prompt, cut before the question: the beginning is shared."""
    system, user = read_prompt(question, [row.text], row.language).messages
    shared, _, label = user.content[: -len(question)].rpartition("\n")
    return (
        f"{turn(system)}<|im_start|>user\n{shared}\n",
        f"{label}{question}{END}\n<|im_start|>assistant\n",
    )
