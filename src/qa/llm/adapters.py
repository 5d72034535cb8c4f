"""The trained adapters (LoRA) of the embedded model: the reader and the voter.

The reader reads one passage strictly and writes the short answer that it gives, or the word of
refusal (docs/decisions/0014); the voter names the sentences of a numbered document that answer a
question, or none (docs/decisions/0025). They were trained by ``eval/qa_eval/reader`` and
``eval/qa_eval/voter`` on passages and questions (``eval/train/``), and belong to the weights that
they were trained on; their own files say which.

Example: ``find_adapters(Path("Qwen2.5-Coder-1.5B-Instruct-Q4_K_M.gguf"))``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from qa.llm.gguf import label, read_general

BASE = "general.base_model.0.name"
"""The entry of an adapter's file that holds the label of the weights it was trained on."""

INVOCATION = "adapter.alora.invocation_tokens"
"""The entry that holds the tokens from which on an adapter is applied; before, it is not.

So the voter reads a document's questions through the adapter and the document without: what was
read of it once serves with and without it (llama.cpp, "activated LoRA")."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """The files of both; a model has them together or not at all."""

    reader: Path
    voter: Path


def find_adapters(gguf: Path) -> Adapters | None:
    """Return the packaged adapters if they were trained on the weights in ``gguf``, else None."""
    data = Path(str(files("qa") / "data"))
    adapters = Adapters(data / "reader.gguf", data / "voter.gguf")
    own = label(read_general(gguf))
    bases = {read_general(path).get(BASE) for path in (adapters.reader, adapters.voter)}
    return adapters if own and bases == {own} else None
