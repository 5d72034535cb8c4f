"""A small HTTP server that behaves as two recorded Ollama versions do, and misbehaves on request.

0.32.15 keeps other prompts in host memory, answers an overflow with 400 and reads the template from
the GGUF; 0.24.0 has one slot, cuts an overflow silently and believes the Modelfile. Every request
body is checked against the published API (``violations``). Durations are simulated: nothing sleeps
but a fault.

Example::

    with OllamaDouble("0.24.0", reply=lambda messages, body: "Bonjour.") as server:
        model = OllamaModel(server.url, server.model)
        server.faults.append(Fault("dead_runner", after=3))
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import re
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import jsonschema
import yaml

FOLDER = Path(__file__).parent / "data" / "ollama"
GO_TEMPLATE = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n"
)
BARE_TEMPLATE = "{{ .Prompt }}"
_DEFAULT_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
_TOKEN = re.compile(r"<\|[^|<>\s]+\|>|\w{1,5}|[^\w\s]|\n")  # 788 real tokens are about 800 of these
_WRITTEN = re.compile(r"\s*\w{1,5}|\s*[^\w\s]|\s+$")
_CONTROL = re.compile(r"<[|｜]\w+|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>")
_DURATION = re.compile(r"[-+]?(0|(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+)")
_MOST_LOGPROBS = 20
_HOLD_S = 10.0  # the longest that a held stream waits for a disconnect or a release

FaultKind = Literal[
    "slow_first_token",  # waits delay_s before the first line
    "hold",  # after `after` lines waits for a disconnect, or for release()
    "dead_runner",  # after `after` lines an error line; the next call loads the model anew
    "cut_stream",  # after `after` lines the stream ends well formed, without its last line
    "cut_connection",  # after `after` lines the connection breaks
    "invalid_json",  # after `after` lines half a line of JSON
    "not_an_object",  # after `after` lines a JSON list
    "thinking_first",  # `after` lines of thinking before the answer
    "only_thinking",  # thinking until num_predict
    "inline_thinking",  # <think>…</think> inside the content
    "missing_model",  # 404
    "server_error",  # 500
    "proxy_error",  # 502 with a long page of HTML
    "queue_full",  # 503
    "overflow",  # as if the prompt did not fit, however long it is
    "refuse_think",  # 400 to a request with `think`, whatever its value
    "no_logprobs",  # a server too old for them
    "late_text",  # the end of the text on the last line, without log-probabilities
]


@dataclass(frozen=True)
class Fault:
    """One way to misbehave, for the next ``times`` chat requests."""

    kind: FaultKind
    after: int = 2
    delay_s: float = 1.0
    times: int = 1


@dataclass(frozen=True)
class Reply:
    """A scripted answer; ``tops`` has the first tokens' alternatives and log-probabilities."""

    text: str
    tops: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    body: Any


ReplyRule = Callable[[list[dict[str, str]], dict[str, Any]], "str | Reply"]


def echo_rule(messages: list[dict[str, str]], body: dict[str, Any]) -> str:
    """Answer with the longest line that shares most words with the last message."""
    words = set(re.findall(r"\w{3,}", messages[-1]["content"].casefold()))
    lines = [line for m in messages[:-1] for line in m["content"].splitlines() if line.strip()]
    if not lines:
        return "Bonjour ! Comment puis-je vous aider aujourd'hui ?"
    return max(
        lines, key=lambda line: (len(words & set(re.findall(r"\w{3,}", line.casefold()))), line)
    )


@dataclass
class _Loaded:
    """The model in memory: its launch attributes, the slot's tokens, and prompts kept beside it."""

    attributes: tuple[Any, ...]
    num_ctx: int
    slot: list[str] = field(default_factory=list)
    host: list[list[str]] = field(default_factory=list)


class OllamaDouble:
    """The server; ``requests``, ``violations``, ``disconnects``, ``control_tokens`` are its diary.

    :param models: names beside the default one, all with the same weights.
    :param template: ``BARE_TEMPLATE`` drops every message but the last user's.
    :param tokens_per_s: simulated reading speed; 72 and 34 as recorded when None.
    :param tags: entries of ``/api/tags``, instead of those of the recorded model.
    """

    def __init__(
        self,
        version: str = "0.32.15",
        *,
        reply: ReplyRule = echo_rule,
        template: str | None = None,
        models: tuple[str, ...] = ("qwen2.5-coder:1.5b",),
        tags: list[dict[str, Any]] | None = None,
        tokens_per_s: float | None = None,
        max_queue: int = 512,
    ) -> None:
        self.version, self.reply, self.max_queue = version, reply, max_queue
        self.own_runner = version.startswith("0.24")
        recorded = "0.24.0" if self.own_runner else "0.32.15"
        self._tags = recorded_lines(recorded, "tags")[0]["models"][0]
        self._show = recorded_lines(recorded, "show")[0]
        self._ps = recorded_lines(recorded, "ps-loaded")[0]["models"][0]
        self.template = template or self._show["template"]
        self.tokens_per_s = tokens_per_s or (34.0 if self.own_runner else 72.0)
        self.tags = tags or [{**self._tags, "name": name, "model": name} for name in models]
        self.model = self.tags[0]["name"]
        self.faults: deque[Fault] = deque()
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.control_tokens: list[str] = []
        self.disconnects = 0
        self.loads = 0
        self._loaded: _Loaded | None = None
        self._turn = threading.Lock()  # one slot: questions are served one after the other
        self._diary = threading.Lock()
        self._waiting = 0
        self._released = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Return the server's address."""
        assert self._server is not None, "use the double as a context manager"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def chats(self) -> list[dict[str, Any]]:
        """Return the bodies of the chat requests so far."""
        return [r.body for r in self.requests if r.path == "/api/chat" and isinstance(r.body, dict)]

    def __enter__(self) -> OllamaDouble:
        handler = type("Bound", (_Handler,), {"double": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def release(self) -> None:
        """Let held streams go on."""
        self._released.set()

    def wait_for_disconnect(self, timeout_s: float = 5.0) -> bool:
        """Wait until a client has closed its connection in mid-stream."""
        return self._wait(lambda: self.disconnects > 0, timeout_s)

    def wait_for_chat(self, count: int = 1, timeout_s: float = 5.0) -> bool:
        """Wait until ``count`` chat requests have arrived."""
        return self._wait(lambda: len(self.chats) >= count, timeout_s)

    @staticmethod
    def _wait(done: Callable[[], bool], timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        while not done() and time.monotonic() < end:
            time.sleep(0.01)
        return done()

    def note(self, method: str, path: str, body: Any) -> None:
        """Write a request down and check it against the published API."""
        with self._diary:
            self.requests.append(Request(method, path, body))
            self.violations += violations(method, path, body)
            for message in body.get("messages", []) if isinstance(body, dict) else []:
                self.control_tokens += _CONTROL.findall(str(message.get("content", "")))

    def note_disconnect(self) -> None:
        """Count a client that went away in mid-stream."""
        with self._diary:
            self.disconnects += 1

    def next_fault(self) -> Fault | None:
        """Take the fault for this request."""
        with self._diary:
            if not self.faults:
                return None
            fault = self.faults.popleft()
            if fault.times > 1:
                self.faults.appendleft(
                    Fault(fault.kind, fault.after, fault.delay_s, fault.times - 1)
                )
            return fault

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Wait for the slot; yields False when the queue is full."""
        with self._diary:
            full = self._waiting > self.max_queue
            self._waiting += 1
        try:
            if full:
                yield False
            else:
                with self._turn:
                    yield True
        finally:
            with self._diary:
                self._waiting -= 1

    # What the recorded servers compute.

    def knows(self, name: str) -> bool:
        """Tell whether a model of that name is installed."""
        return name in {tag["name"] for tag in self.tags}

    def render(self, messages: list[dict[str, str]]) -> list[str]:
        """Return the prompt's tokens: the template over the messages."""
        if self.template == BARE_TEMPLATE:
            users = [m["content"] for m in messages if m["role"] == "user"]
            return _TOKEN.findall(users[-1] if users else "")
        if not self.own_runner and messages and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": _DEFAULT_SYSTEM}, *messages]
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
        return _TOKEN.findall(f"{text}<|im_start|>assistant\n")

    def load(self, body: dict[str, Any]) -> tuple[_Loaded, int]:
        """Return the loaded model and the nanoseconds of loading; other attributes load it anew."""
        num_ctx = body.get("options", {}).get("num_ctx", 4096)
        shift = None if self.own_runner else body.get("shift", True)
        attributes = (body["model"], num_ctx, shift)
        if self._loaded is not None and self._loaded.attributes == attributes:
            return self._loaded, 112_000_000 if self.own_runner else 1_000_000
        self._loaded = _Loaded(attributes, num_ctx)
        self.loads += 1
        return self._loaded, 2_000_000_000

    def unload(self) -> None:
        """Forget the model and its caches."""
        self._loaded = None

    def read(self, loaded: _Loaded, prompt: list[str]) -> int:
        """Read ``prompt`` with what is cached, and return how many tokens had to be computed."""
        cached = [loaded.slot] if self.own_runner else [loaded.slot, *loaded.host]
        shared = max(_common(prompt, known) for known in cached)
        if not self.own_runner:
            loaded.host = [known for known in [loaded.slot, *loaded.host][:16] if known]
        loaded.slot = list(prompt)
        return max(1, len(prompt) - shared)

    def durations(self, computed: int, written: int) -> dict[str, int]:
        """Return the simulated nanoseconds; the own runner leaves that of a single token out."""
        prompt_ns = int(70_000_000 + computed / self.tokens_per_s * 1e9)
        durations = {"prompt_eval_duration": prompt_ns, "eval_duration": 90_000_000 * (written - 1)}
        if written <= 1:
            durations["eval_duration"] = 1000
            if self.own_runner:
                del durations["eval_duration"]
        return durations

    def tag_list(self) -> dict[str, Any]:
        """Return the answer to ``/api/tags``."""
        return {"models": self.tags}

    def show(self, name: str) -> dict[str, Any]:
        """Return the answer to ``/api/show``."""
        shown = copy.deepcopy(self._show)
        shown["template"] = self.template
        shown["modelfile"] = shown["modelfile"].replace(self._tags["name"], name)
        return shown

    def ps(self) -> dict[str, Any]:
        """Return the answer to ``/api/ps``."""
        if self._loaded is None:
            return {"models": []}
        name, num_ctx = self._loaded.attributes[:2]
        return {"models": [{**self._ps, "name": name, "model": name, "context_length": num_ctx}]}


class _Handler(BaseHTTPRequestHandler):
    """HTTP: routes, status codes, headers and lines as recorded."""

    protocol_version = "HTTP/1.1"
    double: OllamaDouble

    def handle(self) -> None:
        """Serve a connection until either side closes it."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        self.double.note("GET", self.path, None)
        answers = {
            "/api/version": lambda: {"version": self.double.version},
            "/api/tags": self.double.tag_list,
            "/api/ps": self.double.ps,
        }
        if self.path in answers:
            self._json(200, answers[self.path]())
        else:
            self._json(404, {"error": "not found"})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            self.double.note("POST", self.path, raw.decode(errors="replace"))
            self._json(400, {"error": "unexpected EOF"})
            return
        self.double.note("POST", self.path, body)
        try:
            if self.path == "/api/show":
                self._show(body)
            elif self.path == "/api/chat":
                self._chat(body)
            else:
                self._json(404, {"error": "not found"})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _show(self, body: dict[str, Any]) -> None:
        name = body.get("model", "")
        if self.double.knows(name):
            self._json(200, self.double.show(name), chunked=True)
        else:
            self._json(404, {"error": f"model '{name}' not found"})

    def _chat(self, body: dict[str, Any]) -> None:
        fault = self.double.next_fault()
        refusal = _refusal(self.double, body, fault)
        if refusal is not None:
            status, error = refusal
            late = "in format" in error["error"] or "invalid format" in error["error"]
            self._json(status, error, plain=self.double.own_runner and late)
            return
        with self.double.turn() as served:
            if not served:
                self._json(*_QUEUE_FULL)
            elif not body.get("messages"):
                self._state(body)
            else:
                self._answer(body, fault)

    def _state(self, body: dict[str, Any]) -> None:
        """Load or unload: a chat request without messages."""
        if body.get("keep_alive") == 0:
            self.double.unload()
            reason = "unload"
        else:
            self.double.load(body)
            reason = "load"
        self._json(200, {**_line(body, ""), "done": True, "done_reason": reason})

    def _answer(self, body: dict[str, Any], fault: Fault | None) -> None:
        double = self.double
        loaded, load_ns = double.load(body)
        prompt = double.render(body["messages"])
        if len(prompt) >= loaded.num_ctx or (fault and fault.kind == "overflow"):
            if not double.own_runner:
                sent = max(len(prompt), loaded.num_ctx + 1)
                self._json(400, _overflow_new(sent, loaded.num_ctx), plain=True)
                return
            if body.get("truncate") is False:
                error = {"error": "the input length exceeds the context length"}
                self._json(400, error, plain=True)
                return
            # A cut is not noticed: what is left fills the window.
            prompt = (prompt * (loaded.num_ctx // max(1, len(prompt)) + 1))[-loaded.num_ctx :]
        computed = double.read(loaded, prompt)
        lines, reason = _written(double.reply, body, fault)
        loaded.slot += [token for line in lines for token in _TOKEN.findall(line["text"])]
        count = len(lines) + (reason == "stop")
        done = {
            "done": True,
            "done_reason": reason,
            "load_duration": load_ns,
            "prompt_eval_count": len(prompt),
            "eval_count": count,
            **double.durations(computed, count),
        }
        done["total_duration"] = sum(v for k, v in done.items() if k.endswith("duration"))
        if body.get("stream", True):
            self._stream(body, lines, done, fault)
        else:
            whole = _line(body, "".join(line["text"] for line in lines))
            logprobs = [line["logprob"] for line in lines if "logprob" in line]
            self._json(200, whole | done | ({"logprobs": logprobs} if logprobs else {}))

    def _stream(
        self,
        body: dict[str, Any],
        lines: list[dict[str, Any]],
        done: dict[str, Any],
        fault: Fault | None,
    ) -> None:
        if fault and fault.kind == "slow_first_token" and not self._hold(fault.delay_s):
            return
        if fault and fault.kind == "hold" and fault.after == 0 and not self._hold(_HOLD_S):
            return
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, line in enumerate(lines, start=1):
            if self._gone():
                self.double.note_disconnect()
                return
            self._chunk(_stream_line(body, line))
            if fault and fault.after == number and not self._misbehave(fault):
                return
        late = " fin" if fault and fault.kind == "late_text" else ""
        self._chunk(_line(body, late) | done)
        self._end()

    def _misbehave(self, fault: Fault) -> bool:
        """Do what ``fault`` says in mid-stream; False ends the answer here."""
        if fault.kind == "hold":
            return self._hold(_HOLD_S)
        if fault.kind == "dead_runner":
            self.double.unload()
            self._chunk({"error": _DEAD_RUNNER})
            self._end()
        elif fault.kind == "cut_stream":
            self._end()
        elif fault.kind == "cut_connection":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault.kind == "invalid_json":
            self._bytes(b'{"model":"qwen2.5-coder:1.5b","message":{"role":"assist\n')
            self._end()
        elif fault.kind == "not_an_object":
            self._bytes(b"[1, 2]\n")
            self._end()
        else:
            return True
        return False

    def _hold(self, seconds: float) -> bool:
        """Wait; False when the client went away meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.double._released.is_set():
            if self._gone():
                self.double.note_disconnect()
                return False
            time.sleep(0.01)
        return True

    def _gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            gone = bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            gone = True
        self.close_connection = self.close_connection or gone
        return gone

    def _json(
        self, status: int, answer: dict[str, Any], *, chunked: bool = False, plain: bool = False
    ) -> None:
        """Send one JSON answer; ``plain``: the content type without a charset, in chunks."""
        raw = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json" + ("" if plain else "; charset=utf-8"))
        if chunked or plain:
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self._bytes(raw)
            self._end()
        else:
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    def _chunk(self, line: dict[str, Any]) -> None:
        self._bytes(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def _bytes(self, raw: bytes) -> None:
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.flush()

    def _end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


_DEAD_RUNNER = "an error was encountered while running the model: unexpected EOF"
_QUEUE_FULL = (503, {"error": "server busy, please try again.  maximum pending requests exceeded"})

_ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    "queue_full": _QUEUE_FULL,
    "server_error": (500, {"error": "llama runner process has terminated: signal: killed"}),
    "proxy_error": (502, {"error": f"<html>{'<style>x</style>' * 400}</html>"}),
}


def _refusal(
    double: OllamaDouble, body: dict[str, Any], fault: Fault | None
) -> tuple[int, dict[str, Any]] | None:
    """Return the status and error of a request that is refused before anything is read."""
    model, kind = body.get("model"), fault.kind if fault else ""
    think = body.get("think")
    if kind in _ERRORS:
        return _ERRORS[kind]
    if not model:
        return 400, {"error": "model is required"}
    if kind == "missing_model" or not double.knows(model):
        return 404, {"error": f"model '{model}' not found"}
    if body.get("top_logprobs", 0) > _MOST_LOGPROBS:
        return 400, {"error": "top_logprobs must be between 0 and 20"}
    kept = body.get("keep_alive")
    if isinstance(kept, str) and not _DURATION.fullmatch(kept):
        return 400, {"error": f'time: missing unit in duration "{kept}"'}
    if think is True or (kind == "refuse_think" and think is not None):
        return 400, {"error": f'"{model}" does not support thinking'}
    return _option_refusal(body.get("options", {})) or _format_refusal(double, body.get("format"))


def _option_refusal(options: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    for name, value in options.items():
        if name.startswith("num_") and not isinstance(value, int):
            return 500, {"error": f'option "{name}" must be of type integer'}
    return None


def _format_refusal(double: OllamaDouble, form: Any) -> tuple[int, dict[str, Any]] | None:
    if form is None or form == "json":
        return None
    if not isinstance(form, dict):
        quoted = json.dumps(json.dumps(form))
        text = f'invalid format: {quoted}; expected "json" or a valid JSON Schema object'
        return 500, {"error": text}
    try:
        jsonschema.Draft202012Validator.check_schema(form)
    except jsonschema.SchemaError:
        if double.own_runner:
            return 500, {"error": "invalid JSON schema in format"}
        message = (
            "Unable to generate parser for this template. Automatic parser generation failed: JSON "
            "schema conversion failed:\nUnrecognized schema: "
            + json.dumps(form, separators=(",", ":"))
        )
        inner = {"error": {"code": 400, "message": message, "type": "invalid_request_error"}}
        return 400, {"error": json.dumps(inner, separators=(",", ":"))}
    return None


def _overflow_new(sent: int, window: int) -> dict[str, Any]:
    message = (
        f"request ({sent} tokens) exceeds the available context size ({window} tokens), "
        "try increasing it"
    )
    inner = {
        "code": 400,
        "message": message,
        "type": "exceed_context_size_error",
        "n_prompt_tokens": sent,
        "n_ctx": window,
    }
    return {"error": json.dumps({"error": inner}, separators=(",", ":"))}


def _written(
    rule: ReplyRule, body: dict[str, Any], fault: Fault | None
) -> tuple[list[dict[str, Any]], str]:
    """Return the answer's lines, each with its text, and why it ended."""
    reply = rule(body["messages"], body)
    reply = Reply(reply) if isinstance(reply, str) else reply
    text = reply.text
    if body.get("format"):
        text = conform(text, body["format"])
    kind = fault.kind if fault else ""
    if kind == "inline_thinking":
        text = f"<think>Voyons, que dit le texte ?</think>\n\n{text}"
    pieces = [{"text": piece} for piece in _WRITTEN.findall(text)]
    if kind == "thinking_first" and fault:
        pieces = [{"text": "", "thinking": "Hmm. "}] * fault.after + pieces
    if kind == "only_thinking":
        pieces = [{"text": "", "thinking": "Hmm. "}] * 1000
    stops = [s for s in body.get("options", {}).get("stop", []) if s in text]
    if stops:
        kept = text[: min(text.index(s) for s in stops)]
        pieces = [{"text": piece} for piece in _WRITTEN.findall(kept)]
    limit = body.get("options", {}).get("num_predict", -1)
    reason = "length" if 0 <= limit <= len(pieces) else "stop"
    pieces = pieces[:limit] if limit >= 0 else pieces
    if body.get("logprobs") and kind != "no_logprobs":
        for place, piece in enumerate(pieces):
            given = reply.tops[place] if place < len(reply.tops) else {}
            piece["logprob"] = _logprob(piece["text"], given, body.get("top_logprobs", 0))
    return pieces, reason


def _logprob(token: str, given: Mapping[str, float], count: int) -> dict[str, Any]:
    """Return a token's log-probability in the recorded shape, best alternatives first."""
    alternatives = dict(given) or {token: -0.1, f" {token}": -3.0, token.upper() + "_": -5.0}
    alternatives.setdefault(token, -13.4)  # forced by the grammar against the model's wish
    ranked = sorted(alternatives.items(), key=lambda pair: -pair[1])
    shown = [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in ranked]
    chosen = next(entry for entry in shown if entry["token"] == token)
    return {**chosen, "top_logprobs": shown[:count]} if count else chosen


def conform(text: str, form: Any) -> str:
    """Return ``text`` as the grammar of ``form`` would have let it be written."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if form == "json":
        return json.dumps(value if isinstance(value, dict) else {"text": text}, ensure_ascii=False)
    return json.dumps(_fit(value, form), ensure_ascii=False)


def _fit(value: Any, schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return value if value in schema["enum"] else schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        known = value if isinstance(value, dict) else {}
        properties = schema.get("properties", {})
        names = [n for n in properties if n in known or n in schema.get("required", ())]
        return {name: _fit(known.get(name), properties[name]) for name in names}
    if kind == "array":
        items = value if isinstance(value, list) else []
        items = [_fit(item, schema.get("items", {})) for item in items]
        least = schema.get("minItems", 0)
        items += [_fit(None, schema.get("items", {})) for _ in range(least - len(items))]
        return items[: schema.get("maxItems")]
    if kind == "integer":
        number = value if isinstance(value, int) and not isinstance(value, bool) else 0
        return min(schema.get("maximum", number), max(schema.get("minimum", number), number))
    if kind == "boolean":
        return bool(value)
    if kind == "string":
        return (value if isinstance(value, str) else "")[: schema.get("maxLength")]
    return value


def _line(body: dict[str, Any], text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "model": body["model"],
        "created_at": "2026-11-22T17:30:00.000000000Z",
        "message": message,
    }


def _stream_line(body: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    line = {**_line(body, piece["text"]), "done": False}
    if "thinking" in piece:
        line["message"]["thinking"] = piece["thinking"]
    if "logprob" in piece:
        line["logprobs"] = [piece["logprob"]]
    return line


def _common(left: list[str], right: list[str]) -> int:
    length = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        length += 1
    return length


def recorded(version: str, name: str) -> dict[str, Any]:
    """Return a recorded exchange."""
    return json.loads((FOLDER / version / f"{name}.json").read_text(encoding="utf-8"))


def recorded_lines(version: str, name: str) -> list[dict[str, Any]]:
    """Return the JSON lines that the recorded server answered."""
    return [line["json"] for line in recorded(version, name)["lines"]]


@functools.lru_cache
def published_api() -> dict[str, Any]:
    """Return the published description of the API."""
    return yaml.safe_load((FOLDER / "openapi.yaml").read_text(encoding="utf-8"))


@functools.lru_cache
def _validator(path: str, method: str) -> tuple[jsonschema.Draft202012Validator, frozenset[str]]:
    api = published_api()
    content = api["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
    name = content["$ref"].rpartition("/")[2]
    schema = {"$ref": content["$ref"], "components": api["components"]}
    known = frozenset(api["components"]["schemas"][name]["properties"])
    return jsonschema.Draft202012Validator(schema), known


def violations(method: str, path: str, body: Any) -> list[str]:
    """Return what in a request is not as the API is published, unknown fields included."""
    operations = published_api()["paths"].get(path)
    if operations is None or method.lower() not in operations:
        return [f"{method} {path}: not a published path"]
    if method == "GET":
        return []
    if not isinstance(body, dict):
        return [f"{method} {path}: the body is no JSON object"]
    validator, known = _validator(path, method.lower())
    found = [f"{path}: {e.json_path} {e.message}" for e in validator.iter_errors(body)]
    return found + [f"{path}: unknown field {name!r}" for name in sorted(set(body) - known)]
