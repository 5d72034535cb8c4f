"""Keep chat-template control tokens in people's texts from reaching a model as control tokens.

A model reads ``<|im_end|>`` inside a document as the end of the message and obeys what follows.
:func:`neutralise` puts one space after the token's first bracket, so that no tokenizer knows it any
more while people (and the model) still read it. Citations are offsets into the stored text, which
this never touches. It knows nothing of prompts or documents.

Example: ``neutralise("<|im_end|>") == "< |im_end|>"``; ``neutralise("a < b, [1]")`` is unchanged.
"""

from __future__ import annotations

import re

# Characters that are not seen and that a later clean-up could drop, joining a split token again:
# control characters but white space, Unicode category Cf, fillers, variation selectors, tags.
_UNSEEN = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_UNSEEN_RUN = re.compile(f"[{_UNSEEN}]+")

# Names of the tokens written <name> or </name>, by the families that use them. HTML in daily use
# (<b>, <p>, <a …>) is not among them; the few that coincide (<s>, <video>) only gain a space.
_ANGLE_NAMES = (
    r"s|bos|eos|eot|eop|sop|eod|unk|pad|mask|cls|sep|eoh|eoa",  # Llama 2, Mistral, GLM
    r"(?:start|end)_of_\w+|\w+_of_(?:turn|sentence|document|text|image|audio)",  # Gemma, MiniMax
    r"think(?:ing)?|reasoning|answer_start|longcat_\w+|minimax:\w+|seed:\w+|mask:\w+",
    r"tools?|tool_?calls?|tool_?(?:response|result|output|list|sep)s?|functions?",
    r"function_?calls?|func_\w+",
    r"arg_(?:key|value)|parameters?|invoke",
    r"fim[_-]\w+|repo_?name|file_?(?:sep|name)|gh_stars|issue_\w+|jupyter_\w+|commit_\w+|empty_output",
    r"endof(?:text|prompt|turn|chunk)|begin_?of_?text|end_?of_?text|begin_\w+|start_header_id|end_header_id",
    r"\w+_token|unused_?\d+|extra_id_\d+|reserved_?\w*\d+|special_?\d+|tokens_unused_\d+|0x[0-9a-f]{2}",
    r"__(?:media|image|audio|video)__|image|audio|video|img|(?:image|audio|video|patch)_\w+|pad\d+",
    r"h?system|h?user|h?assistant|ai|human|bot",
)
# Names written [NAME] or [/NAME]: Llama 2, Mistral, BERT-like and GLM tokens.
_SQUARE_NAMES = (
    r"INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS?|TOOL_RESULTS?|TOOL_CONTENT|ARGS|CALL_ID|THINK",
    r"IMG(?:_BREAK|_END)?|(?:BEGIN_)?AUDIO|PREFIX|MIDDLE|SUFFIX|CONTROL_\d+|MODEL_SETTINGS|REFERENCE_\w+",
    r"CLS|SEP|PAD|UNK|MASK|[gs]MASK|BOS|EOS|EOT|TRANSCRIBE|STREAMING_\w+|REPEAT_AUDIO_TEXT|NEXT_\w+",
)
_BAR = "[|｜¦]"
# What follows the first bracket of a control token; the bracket itself is what gets the space.
_AFTER_ANGLE = (
    rf"{_BAR}[^\s]",  # <|…|>, <｜…｜>, <|turn>: most families
    rf"[\w/▁.:-]{{1,64}}{_BAR}[>＞]",  # <turn|> (Gemma 4)
    r"<(?:/)?SYS>>",  # Llama 2
    rf"/?(?:{'|'.join(_ANGLE_NAMES)})\s?/?[>＞]",
    r"(?-i:/?(?:PRE|SUF|MID|EOT|AI|UNK|BOS|EOS))[>＞]",  # CodeLlama; <pre> is HTML
)
_AFTER_SQUARE = (
    rf"/?(?:{'|'.join(_SQUARE_NAMES)})[\]］]",
    rf"{_BAR}[^\s\]]",  # [|endofturn|] (EXAONE)
    r"e~\[",  # MiniMax
)
_CONTROL = re.compile(
    rf"[<＜](?={'|'.join(_AFTER_ANGLE)})|[\[［](?={'|'.join(_AFTER_SQUARE)})|\](?=~!?b[\[\]])",
    re.IGNORECASE,
)


def neutralise(text: str) -> str:
    """Return ``text`` with one space after the first bracket of every control token; idempotent.

    Tokens are found in any case, nested in one another, and split by characters that are not seen.
    """
    if not any(bracket in text for bracket in "<[＜［]"):
        return text
    places = _control_places(text)
    if not places:
        return text
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, None], strict=True)]
    return " ".join(pieces)


def _control_places(text: str) -> list[int]:
    """Return the offsets just after the first bracket of each control token."""
    hidden = [match.span() for match in _UNSEEN_RUN.finditer(text)]
    if not hidden:
        return [match.end() for match in _CONTROL.finditer(text)]
    # Search the visible text, then shift each place by what was hidden before it.
    seen = _UNSEEN_RUN.sub("", text)
    places: list[int] = []
    dropped = following = 0
    for match in _CONTROL.finditer(seen):
        while following < len(hidden) and hidden[following][0] - dropped <= match.start():
            dropped += hidden[following][1] - hidden[following][0]
            following += 1
        places.append(match.end() + dropped)
    return places
