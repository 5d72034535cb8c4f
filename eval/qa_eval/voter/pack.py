"""A voter's sheet → token arrays: the numbered document, then every question with its numbers.

Example: ``pack(sheet, encode).ids``, where ``encode`` turns text into token ids.
"""

from __future__ import annotations

from qa.prompt import vote_prompt
from qa_eval.adapters.pack import Encode, Packed, lay_out, turn
from qa_eval.voter.sheets import Sheet


def pack(sheet: Sheet, encode: Encode) -> Packed:
    """Lay out one sheet; 0 is the answer where no sentence is."""
    head = "".join(turn(message) for message in sheet.numbered.prefix)
    asked = [
        (_question(sheet, question), f"{','.join(map(str, numbers)) or '0'}]}}")
        for question, numbers in sheet.asked
    ]
    return lay_out(head, asked, encode)


def invocation(encode: Encode) -> list[int]:
    """Return the tokens that every question begins with, and no document holds."""
    return encode("<|im_start|>user\n")


def _question(sheet: Sheet, question: str) -> str:
    """Return the rendered prompt from the question on."""
    prompt = vote_prompt(sheet.numbered, question, trained=True)
    return f"{turn(prompt.messages[-1])}<|im_start|>assistant\n{prompt.begun}"
