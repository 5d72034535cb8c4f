"""What the settings mean for the parts, which do not know them: one function for each part.

Example: ``choose_model(model_options(load_settings()))``.
"""

from __future__ import annotations

from dataclasses import dataclass

from qa.documents import Limits
from qa.entail import Entailment, Reranker, open_entailment, open_reranker
from qa.llm.choose import ModelOptions
from qa.settings import Settings


def document_limits(settings: Settings) -> Limits:
    """Return what the settings let one file ask of the machine."""
    return Limits(
        file_bytes=settings.max_file_mb << 20,
        pages=settings.max_pages,
        unpacked_bytes=settings.max_unpacked_mb << 20,
        unpacked_ratio=settings.max_unpacked_ratio,
        entries=settings.max_entries,
        sentences=settings.max_sentences,
        parse_seconds=settings.parse_seconds,
        parse_bytes=settings.parse_memory_mb << 20,
    )


@dataclass(frozen=True, slots=True)
class CrossEncoders:
    """The optional models that read pairs of texts; None where the settings name none."""

    entailment: Entailment | None
    reranker: Reranker | None


def cross_encoders(settings: Settings) -> CrossEncoders:
    """Return the cross-encoders that the settings name; they are loaded at their first use.

    :raises ModelUnavailable: one is not there, or is of another kind.
    """
    nli, reranker, threads = settings.nli, settings.reranker, settings.threads
    return CrossEncoders(
        open_entailment(nli, threads) if nli else None,
        open_reranker(reranker, threads) if reranker else None,
    )


def model_options(settings: Settings) -> ModelOptions:
    """Return what the choice of a model needs of the settings."""
    return ModelOptions(
        cache=settings.cache,
        backend=settings.backend,
        gguf=settings.gguf,
        ollama_url=settings.ollama_url,
        ollama_model=settings.ollama_model,
        keep_alive=settings.ollama_keep_alive,
        timeout_s=settings.ollama_timeout_s,
        context_tokens=settings.context_tokens,
        threads=settings.threads,
        seed=settings.seed,
        prefixes=settings.store / "prefixes",
        prefix_cache_bytes=settings.prefix_cache_mb << 20,
    )
