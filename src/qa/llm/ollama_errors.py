"""What an Ollama failure means and what to do about it: the words, and the facts inside them.

It sends nothing.

Example: ``overflow_of(error_text(error))`` is ``(6352, 4096)`` for a prompt that did not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from qa.errors import ModelUnavailable, PromptTooLong

if TYPE_CHECKING:
    import ollama

_MID_STREAM = -1  # the client's status code for an error line after status 200
_LONGEST_TEXT = 200  # of an error that is shown: a proxy answers with a whole page
_TEMPLATE_REMEDY = (
    "`ollama pull` the model from the library, or create it again with a TEMPLATE line that ranges "
    "over the messages (`ollama show --modelfile {name}` shows the present one)"
)


def nobody_there(url: str) -> ModelUnavailable:
    """Return the error for a server that does not answer."""
    return ModelUnavailable(
        f"no Ollama server answers at {url!r}: start it with `ollama serve`, or set ollama_url"
    )


def missing_model(name: str) -> ModelUnavailable:
    """Return the error for a model that is not installed."""
    return ModelUnavailable(
        f"Ollama has no model {name!r}: run `ollama pull {name}`, or set ollama_model"
    )


def too_long(name: str, sent: int, window: int) -> PromptTooLong:
    """Return the error for a prompt of ``sent`` tokens that does not fit ``window``."""
    return PromptTooLong(
        f"the prompt has {sent} tokens and the Ollama model {name!r} takes {window}: send less, or "
        "raise context_tokens",
        prompt_tokens=sent,
        context_tokens=window,
    )


def read_cut(name: str, read: int, sent: int, window: int) -> PromptTooLong:
    """Return the error for a prompt that the server cut without a word."""
    return PromptTooLong(
        f"the Ollama model {name!r} cut the prompt: it read {read} tokens of about {sent}, its "
        f"window is {window}; send less, or raise context_tokens",
        prompt_tokens=sent,
        context_tokens=window,
    )


def messages_dropped(name: str, read: int, least: int) -> ModelUnavailable:
    """Return the error for a model that was given less than was sent."""
    return ModelUnavailable(
        f"the Ollama model {name!r} read {read} tokens of at least {least} that were sent: its "
        f"template drops messages; {_TEMPLATE_REMEDY.format(name=name)}"
    )


def refused(error: ollama.ResponseError, name: str) -> ModelUnavailable:
    """Return the error for an error answer, or an error line in mid-stream, that is no overflow."""
    text = error_text(error)[:_LONGEST_TEXT]
    if error.status_code == 404:
        return missing_model(name)
    if error.status_code == 503:
        return ModelUnavailable(
            f"the Ollama server's queue is full ({text}); ask again in a moment, or raise "
            "OLLAMA_MAX_QUEUE"
        )
    if error.status_code == _MID_STREAM:
        return ModelUnavailable(
            f"the Ollama model {name!r} failed in mid-answer: {text!r}; ask again (the next call "
            "loads it anew), and if it happens again choose a smaller one: memory may not suffice"
        )
    return ModelUnavailable(
        f"the Ollama model {name!r} answered {error.status_code}: {text!r}; look at the server's "
        "log, or choose another model with ollama_model"
    )


def connection_lost(error: Exception, name: str, url: str, timeout_s: float) -> ModelUnavailable:
    """Return the error for a connection that was refused, timed out or broke."""
    import httpx

    if isinstance(error, httpx.ReadTimeout):
        return ModelUnavailable(
            f"no token from the Ollama model {name!r} within {timeout_s:g} s; raise "
            "ollama_timeout_s, or choose a smaller model with ollama_model"
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | ConnectionError):
        return nobody_there(url)
    return ModelUnavailable(
        f"the connection to the Ollama model {name!r} broke in mid-answer ({error}); ask again, "
        "and if it happens again look at the server's log"
    )


def not_the_protocol(error: Exception, url: str) -> ModelUnavailable:
    """Return the error for a line that is not JSON, or not what Ollama sends."""
    return ModelUnavailable(
        f"the server at {url!r} sent a line that is not Ollama's ({str(error)[:80]}); ask again, "
        "and if it happens again update Ollama or look at its log"
    )


def template_problems(name: str, shown: ollama.ShowResponse) -> tuple[str, ...]:
    """Say so when the model's template leaves messages out, as `ollama create` once wrote it.

    ``template`` is what the server uses; the Modelfile's TEMPLATE line may show less (0.32 reads it
    from the GGUF). A RENDERER line means that no template is used at all.

    :param name: the model's name, for the message.
    :param shown: what ``/api/show`` answered.
    :return: what is wrong and how to repair it; empty when the template is whole.
    """
    template, modelfile = shown.template or "", shown.modelfile or ""
    rendered = re.search(r"^RENDERER\s+\S", modelfile, re.MULTILINE)
    whole = re.search(r"\bmessages\b|\.System\b", template, re.IGNORECASE)
    if not template or rendered or whole:
        return ()
    return (
        f"the template of the Ollama model {name!r} ({template.strip()!r}) drops the system "
        f"message, so it would answer without the document: {_TEMPLATE_REMEDY.format(name=name)}",
    )


def error_text(error: ollama.ResponseError) -> str:
    """Return what an error says: a text, a JSON text inside it, or an object."""
    said: object = error.error
    return json.dumps(said) if isinstance(said, Mapping) else str(said).strip()


def overflow_of(text: str) -> tuple[int, int] | None:
    """Return the prompt's size and the window (0: not told) if ``text`` tells of an overflow."""
    if "exceeds the context length" in text:  # own runner, before 0.30
        return 0, 0
    if "exceed_context_size" not in text and "exceeds the available context size" not in text:
        return None
    sent, window = (re.search(rf'"{key}":\s*(\d+)', text) for key in ("n_prompt_tokens", "n_ctx"))
    return int(sent[1]) if sent else 0, int(window[1]) if window else 0
