"""A model that passes everything on and notes it: prompts, replies, and whether it died.

The pipeline answers a question whatever its model does; a measurement must know when the model was
not there, and which ids it wrote before anything repaired them.

Example: ``assistant.replace_model(recorder := Recorder(model))``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qa.errors import ModelUnavailable
from qa.llm.base import ChatModel
from qa.types import Prompt, Token
from qa_eval.predictions import Pointers

_ID = re.compile(r"\d+")


class Recorder:
    """A ``ChatModel`` around another one; ``clear`` forgets, before each question."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model
        self.clear()

    if TYPE_CHECKING:  # everything else is the model's own

        def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401
    else:

        def __getattr__(self, name):  # noqa: ANN001, ANN204
            return getattr(self.model, name)

    def clear(self) -> None:
        """Forget what was said."""
        self.prompts: list[Prompt] = []
        self.replies: list[str] = []
        self.failure: ModelUnavailable | None = None

    def stream(self, prompt: Prompt) -> Iterator[Token]:
        """Note the prompt, pass the tokens on, note the reply."""
        self.prompts.append(prompt)
        self.replies.append("")
        place = len(self.replies) - 1
        try:
            for token in self.model.stream(prompt):
                self.replies[place] += token.text
                yield token
        except ModelUnavailable as error:
            self.failure = error
            raise

    def ids(self) -> Pointers:
        """Count the sentence ids that the model wrote where a schema asked for them."""
        valid = written = 0
        for prompt, reply in zip(self.prompts, self.replies, strict=True):
            if prompt.schema is not None and (most := _most(prompt.schema)):
                ids = [int(number) for number in _written(reply)]
                written += len(ids)
                valid += sum(1 <= number <= most for number in ids)
        return Pointers(valid, written)


def _written(reply: str) -> list[str]:
    """Return the numbers of every list named ``ids`` in a reply, which may be cut."""
    try:
        found = list(_lists(json.loads(reply)))
    except json.JSONDecodeError:
        found = re.findall(r'"ids"\s*:\s*\[([^\]]*)', reply)
    return [number for one in found for number in _ID.findall(str(one))]


def _lists(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from [inner] if name == "ids" else _lists(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _lists(inner)


def _most(schema: object) -> int:
    """Return the highest sentence number that a schema allows; 0 where it asks for none."""
    if isinstance(schema, Mapping):
        ids = schema.get("ids")
        if isinstance(ids, Mapping) and isinstance(ids.get("items"), Mapping):
            return int(ids["items"].get("maximum", 0))
        return max((_most(inner) for inner in schema.values()), default=0)
    return 0
