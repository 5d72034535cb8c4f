"""llama.cpp's HTTP server inside this process: started, asked, and translated into our errors.

It listens on a free loopback port that only a random key opens, and logs nothing. It knows nothing
of chat messages.

Example: ``LlamaServer(Path("model.gguf"), options).post("/tokenize", {"content": "Oui"})``.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from qa.errors import ModelUnavailable, PromptTooLong
from qa.llm.mapped import give_back

# So often do threads that wait for each other look again before they sleep: some 50 µs, enough
# where the machine is quiet. With OpenMP's own 300 000 (a whole time slice), two threads read a
# prompt four times slower, and write eight times slower, when others use the same two cores.
_SPIN_COUNT = "1000"
_SPIN_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the model is loaded: caches, their shared room in tokens, and where caches are saved.

    ``adapters`` are LoRAs in GGUF files; a request applies them with ``lora`` (0 by default).
    """

    slots: int
    cache_tokens: int
    batch_tokens: int
    threads: int
    saved_caches: Path | None = None
    adapters: tuple[Path, ...] = ()


class LlamaServer:
    """A loaded model; requests may come from several threads."""

    def __init__(self, gguf: Path, options: ServerOptions) -> None:
        """Load the model and start the server.

        :param gguf: the model's file.
        :param options: how it is loaded.
        :raises ModelUnavailable: the package or the file is missing or unusable.
        """
        key = secrets.token_urlsafe(32)
        self._server = _start(gguf, options, key)
        give_back(gguf)
        self.address = str(self._server.listening_address)
        self._http = httpx.Client(
            base_url=self.address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(5.0, read=None),  # reading a long prompt takes its time
            trust_env=False,
            # A kept connection costs the server a thread, and may be closed just when it is used
            # again; opening one here takes less than a millisecond.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def post(self, path: str, request: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer to a request that is not streamed.

        :param path: of llama-server's HTTP interface.
        :param request: the JSON body.
        :return: the JSON answer.
        :raises ModelUnavailable: the server refused or does not answer.
        """
        with _translated():
            response = self._http.post(path, json=request)
        if response.status_code != httpx.codes.OK:
            raise _refusal(response)
        answer: dict[str, Any] = response.json()
        return answer

    def events(self, request: Mapping[str, object]) -> Generator[dict[str, Any], None, None]:
        """Yield a completion's events; closing the iterator closes the connection and so stops it.

        :param request: the body of ``/completion``.
        :yield: what the server sends, one JSON object a token; the last one has ``stop`` true.
        :raises PromptTooLong: the prompt does not fit.
        :raises ModelUnavailable: the server refused, or died in mid-stream.
        """
        ended = False
        with (
            _translated(),
            self._http.stream("POST", "/completion", json={**request, "stream": True}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                response.read()
                raise _refusal(response)
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    event = json.loads(line[6:])
                    if "error" in event:
                        raise _refused(event["error"])
                    ended = bool(event.get("stop"))
                    yield event
        if not ended:
            raise ModelUnavailable("the embedded model ended in mid-answer; ask again")

    def close(self) -> None:
        """Stop all requests and release the model; calling it twice is fine."""
        self._http.close()
        self._server = None  # the last reference: its destructor ends the server's threads


def _start(gguf: Path, options: ServerOptions, key: str) -> Any:  # noqa: ANN401 (untyped package)
    xllamacpp = _package()
    if not gguf.is_file():
        raise ModelUnavailable(f"no model file {str(gguf)!r}; run `qa doctor`")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(gguf)
    parameters.cpuparams.n_threads = options.threads
    parameters.cpuparams_batch.n_threads = options.threads
    parameters.n_parallel = options.slots
    parameters.n_ctx = options.cache_tokens
    parameters.n_batch = parameters.n_ubatch = options.batch_tokens
    parameters.kv_unified = True  # the slots share n_ctx; else each would get an equal part
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False  # else an idle slot's cache is dropped at the next request
    parameters.fit_params = False
    parameters.warmup = False  # it makes no first call faster, and costs .5 s (eval/LOG.md)
    parameters.ui = False
    parameters.verbosity = -1  # llama.cpp logs to stderr, which belongs to the command line
    parameters.api_keys = [key]
    parameters.lora_adapters = [_adapter(xllamacpp, path) for path in options.adapters]
    if options.saved_caches is not None:
        parameters.slot_save_path = f"{options.saved_caches}{os.sep}"
    try:
        return xllamacpp.Server(parameters)
    except RuntimeError as error:
        raise ModelUnavailable(
            f"llama.cpp could not load {str(gguf)!r} ({error}); run `qa doctor --verify`"
        ) from error


def _adapter(xllamacpp: Any, path: Path) -> Any:  # noqa: ANN401 (untyped package)
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path, adapter.scale = str(path), 0.0
    return adapter


def _package() -> Any:  # noqa: ANN401 (untyped package)
    """Import the package with patient threads, and leave the environment as it was."""
    ours = not any(name in os.environ for name in _SPIN_VARIABLES)
    if ours:
        os.environ["GOMP_SPINCOUNT"] = _SPIN_COUNT  # read once, when OpenMP's library is loaded
    try:
        import xllamacpp
    except ImportError as error:
        raise ModelUnavailable(
            f"the embedded model's package 'xllamacpp' cannot be used ({error}); "
            "`pip install 'qa-sentence-citations[embedded]'`"
            + (", and install libgomp1" if "libgomp" in str(error) else "")
        ) from error
    finally:
        if ours:
            os.environ.pop("GOMP_SPINCOUNT", None)
    return xllamacpp


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "closed" not in str(error):
            raise
        raise ModelUnavailable(
            f"the embedded model stopped answering ({error}); ask again, or run `qa doctor`"
        ) from error


def _refusal(response: httpx.Response) -> ModelUnavailable | PromptTooLong:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError):
        error = {"code": response.status_code, "message": response.text[:200]}
    return _refused(error)


def _refused(error: Mapping[str, Any]) -> ModelUnavailable | PromptTooLong:
    if error.get("type") == "exceed_context_size_error":
        sent, window = int(error.get("n_prompt_tokens", 0)), int(error.get("n_ctx", 0))
        return PromptTooLong(
            f"a prompt of {sent} tokens does not fit the window of {window}; shorten it",
            prompt_tokens=sent,
            context_tokens=window,
        )
    message = error.get("message")
    return ModelUnavailable(
        f"the embedded model refused ({error.get('code')}: {message!r}); run `qa doctor`"
    )
