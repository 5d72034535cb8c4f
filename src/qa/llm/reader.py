"""The reader: a trained adapter (LoRA) with which the embedded model reads one passage strictly.

It was trained by ``eval/qa_eval/reader`` on passages and questions (``eval/train/``) to write the
short answer that a passage gives, or the word of refusal (docs/decisions/0014). It belongs to the
weights that it was trained on; its own file says which.

Example: ``find_reader(Path("Qwen2.5-Coder-1.5B-Instruct-Q4_K_M.gguf"))``.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from qa.llm.gguf import label, read_general

BASE = "general.base_model.0.name"
"""The entry of the adapter's file that holds the label of the weights it was trained on."""


def find_reader(gguf: Path) -> Path | None:
    """Return the packaged adapter if it was trained on the weights in ``gguf``, else None."""
    adapter = Path(str(files("qa") / "data" / "reader.gguf"))
    base = read_general(adapter).get(BASE)
    return adapter if base and base == label(read_general(gguf)) else None
