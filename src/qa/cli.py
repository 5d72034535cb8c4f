"""The command line: reads arguments, calls the assistant, prints what comes back; decides nothing.

Exit codes: 0 answered, 3 abstained, 2 bad input or a missing model, 1 an error of ours, 130 stopped
with Ctrl-C. Nothing heavy is imported before a command runs, so that ``qa --help`` answers at once.

Example: ``qa ask "Combien de soldats américains sont en Irak ?" --json``.
"""

from __future__ import annotations

import contextlib
import getpass
import importlib
import importlib.util
import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from qa.errors import InputError, QAError
from qa.terminal import converse, note, out, prepare_streams, print_report, show, silence_stdout
from qa.types import Answer

if TYPE_CHECKING:
    from qa.assistant import Assistant
    from qa.settings import Settings
    from qa.store import Salvaged
    from qa.watch import State

# How often --watch looks at the files.
_LOOK_S = 2.0

ANSWERED, INTERNAL, BAD_INPUT, ABSTAINED, STOPPED = 0, 1, 2, 3, 130

# The names of qa.settings.Backend; importing that would load pydantic: a third of a second.
Backend = Literal["auto", "ollama", "embedded", "extractive"]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ask your documents; every statement of the answer points at the sentences that prove it.",
)

StoreOption = Annotated[
    Path | None, typer.Option("--store", metavar="DIR", help="The index (default: index/store).")
]
BackendOption = Annotated[
    Backend | None, typer.Option("--backend", help="The language model's host (default: auto).")
]
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@dataclass(frozen=True, slots=True)
class _Common:
    """The options that may also stand before the command."""

    store: Path | None
    backend: Backend | None


@app.callback()
def _root(
    context: typer.Context,
    store: StoreOption = None,
    backend: BackendOption = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and logs.")] = False,
) -> None:
    context.obj = _Common(store, backend)


@app.command()
def index(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders (default: index/documents).")
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Read all files anew; what cannot be read stays; a damaged index is kept aside.",
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--reembed", help="Make all vectors anew, from the stored text.")
    ] = False,
    watching: Annotated[
        bool, typer.Option("--watch", help="Stay, and follow every change of the files.")
    ] = False,
    store: StoreOption = None,
    backend: BackendOption = None,
) -> int:
    """Add, update and remove documents; unchanged ones are skipped."""
    settings = _settings(context, store, backend)
    if again:
        _reembed(settings)
        if not paths and not watching:
            return ANSWERED
    salvaged = _salvaged(settings) if rebuild else None
    chosen = _existing(paths or _known_paths(settings, salvaged))
    if salvaged is not None:
        _renew(settings, salvaged, chosen)
    before = _state(chosen) if watching else frozenset()
    with _assistant(settings, chosen) as assistant:
        report = assistant.report
        if report is not None:
            print_report(report)
        assistant.warm(note)
        if watching:
            _watch(assistant, chosen, before)
    return BAD_INPUT if report is not None and report.failed else ANSWERED


@app.command("export")
def export_index(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The Parquet file to write.")],
    store: StoreOption = None,
) -> int:
    """Write the whole index to one file, vectors included."""
    settings = _settings(context, store, None)
    from qa.store import Store
    from qa.transfer import export_store

    with Store.open(settings.store) as opened:
        count = export_store(opened, file, note)
    out(f"{count} documents in {str(file)!r}")
    return ANSWERED


@app.command("import")
def import_index(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What qa export wrote.")],
    store: StoreOption = None,
) -> int:
    """Make an index of an exported file; nothing is encoded anew."""
    settings = _settings(context, store, None)
    from qa.transfer import import_store

    count = import_store(file, settings.store, note)
    out(f"{count} documents in {str(settings.store)!r}")
    return ANSWERED


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    store: StoreOption = None,
    backend: BackendOption = None,
) -> int:
    """Answer one question, with the sentences that prove it."""
    settings = _settings(context, store, backend)
    if not question.strip():
        raise InputError(f'the question is empty ({question!r}): write it in quotes, qa ask "…"')
    if as_json:
        # Whatever a library prints while it loads must not end up beside the JSON.
        with contextlib.redirect_stdout(sys.stderr), _assistant(settings) as assistant:
            answer = assistant.ask(question)
        out(_json(answer))
    else:
        with _assistant(settings) as assistant:
            answer = show(assistant.stream(question))
    return ANSWERED if answer.answered or answer.kind == "small talk" else ABSTAINED


@app.command()
def chat(context: typer.Context, store: StoreOption = None, backend: BackendOption = None) -> int:
    """Ask in the terminal; the conversation is remembered until /quit."""
    with _assistant(_settings(context, store, backend)) as assistant:
        assistant.warm(note)
        note(f"{assistant.backend}. Ctrl-C stops an answer, /quit ends.")
        converse(assistant)
    return ANSWERED


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: 7860.", min=0, max=65535)] = None,
    root_path: Annotated[
        str, typer.Option("--root-path", metavar="PATH", help="Where a proxy serves it: /docs.")
    ] = "",
    auth_file: Annotated[
        Path | None,
        typer.Option("--auth-file", metavar="FILE", help="Ask for one of its names and passwords."),
    ] = None,
    new_user: Annotated[
        str | None,
        typer.Option("--add-user", metavar="NAME", help="Add a name to the auth file, and end."),
    ] = None,
    mcp: Annotated[bool, typer.Option("--mcp", help="Offer MCP tools at /mcp too.")] = False,
    store: StoreOption = None,
    backend: BackendOption = None,
) -> int:
    """Open the chat page and the HTTP API; documents in index/documents are indexed first."""
    if new_user is not None:
        return _add_user(auth_file, new_user)
    settings = _settings(context, store, backend, host=host, port=port)
    from qa import ui
    from qa.api.serving import Serving
    from qa.ui.conversations import FILE

    # What is wrong with these is said before models load.
    Serving.of(settings.host, auth_file=auth_file, root_path=root_path, mcp=mcp)
    with _assistant(settings) as assistant:
        ui.serve(
            assistant,
            host=settings.host,
            port=settings.port,
            conversations=settings.store / FILE,
            max_file_mb=settings.max_file_mb,
            auth_file=auth_file,
            root_path=root_path,
            mcp=mcp,
        )
    return ANSWERED


@app.command()
def mcp(context: typer.Context, store: StoreOption = None, backend: BackendOption = None) -> int:
    """Serve the MCP tools ask, search and list_documents over stdin and stdout."""
    settings = _settings(context, store, backend)
    from qa.api.mcp import run_stdio

    with contextlib.ExitStack() as opened:

        def open() -> Assistant:
            try:
                return opened.enter_context(_assistant(settings))
            except QAError as error:
                note(f"error: {error}")
                raise

        run_stdio(open)
    return ANSWERED


@app.command("eval", context_settings=_PASS_ON)
def evaluate(
    context: typer.Context, store: StoreOption = None, backend: BackendOption = None
) -> int:
    """Measure citations, answers and abstention on questions (qa eval --help)."""
    return _measure("qa_eval.cli", context, _settings(context, store, backend))


@app.command(context_settings=_PASS_ON)
def bench(context: typer.Context, store: StoreOption = None, backend: BackendOption = None) -> int:
    """Measure tokens, time and memory against their budgets; bench store: how the index grows."""
    settings = _settings(context, store, backend)
    if context.args[:1] == ["store"]:
        del context.args[0]
        return _measure("qa_eval.bench_store", context, settings)
    return _measure("qa_eval.bench", context, settings)


@app.command()
def doctor(
    context: typer.Context,
    verify: Annotated[bool, typer.Option("--verify", help="Hash models and index anew.")] = False,
    store: StoreOption = None,
    backend: BackendOption = None,
) -> int:
    """Say what is there, what is missing, and what to do about it."""
    settings = _settings(context, store, backend)
    from qa.doctor import examine, render

    checks = examine(settings, deep=verify)
    out(render(checks))
    return BAD_INPUT if any(check.status == "problem" for check in checks) else ANSWERED


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; every error becomes one clear line."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in arguments[: _options_end(arguments)]
    if debug:
        arguments = [argument for argument in arguments if argument != "--debug"]
    prepare_streams()
    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR)
    try:
        code = int(app(arguments, prog_name="qa", standalone_mode=False) or 0)
        sys.stdout.flush()
    except (QAError, typer.TyperException) as error:
        return _fail(error, debug=debug)
    except KeyboardInterrupt:
        code = STOPPED
    except BrokenPipeError:
        silence_stdout()
        return INTERNAL
    except Exception as error:
        return _crash(error, debug=debug)
    if code == STOPPED:
        note("stopped")
    return code


def _options_end(arguments: list[str]) -> int:
    return arguments.index("--") if "--" in arguments else len(arguments)


def _fail(error: QAError | typer.TyperException, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if isinstance(error, typer.TyperException):
        note(f"{error.format_message()} (qa --help lists what there is)")
    else:
        note(f"error: {error}")
    return BAD_INPUT


def _crash(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    note(f"internal error: {type(error).__name__}: {error}")
    if not debug:
        note("the same command with --debug shows where; qa doctor checks the installation")
    return INTERNAL


def _settings(
    context: typer.Context, store: Path | None, backend: Backend | None, **rest: object
) -> Settings:
    from qa.settings import load_settings

    common = cast(_Common, context.obj)
    return load_settings(store=store or common.store, backend=backend or common.backend, **rest)


@contextlib.contextmanager
def _assistant(settings: Settings, paths: list[Path] | None = None) -> Iterator[Assistant]:
    from qa.assistant import Assistant

    with Assistant.open(paths, settings=settings, progress=note) as assistant:
        yield assistant


def _reembed(settings: Settings) -> None:
    from qa.embed import load_encoder
    from qa.reembed import reembed

    encoder = load_encoder(settings.encoder, settings.cache, settings.threads, progress=note)
    out(f"{reembed(settings.store, encoder, note)} sentences have new vectors")


def _salvaged(settings: Settings) -> Salvaged:
    from qa.store import salvage

    return salvage(settings.store)


def _renew(settings: Settings, salvaged: Salvaged, chosen: list[Path]) -> None:
    """Let the files be read again; without a model that is needed nothing is changed."""
    from qa.embed import load_encoder
    from qa.llm.choose import choose_model
    from qa.options import cross_encoders, model_options
    from qa.rescue import rescue

    encoder = load_encoder(settings.encoder, settings.cache, settings.threads, progress=note)
    cross_encoders(settings)
    choice = choose_model(replace(model_options(settings), prefixes=None), note)
    if choice.model is not None:  # it was never loaded
        choice.model.close()
    rescued = rescue(settings.store, salvaged, chosen, encoder, note)
    if rescued.aside:
        ids = f" ({', '.join(map(repr, rescued.ids))})" if rescued.ids else ""
        note(
            f"the old index is kept in {str(rescued.aside)!r}; the text of {len(rescued.ids)} "
            f"documents that have no file here is taken over from it{ids}; {salvaged.lost} "
            f"documents cannot be read in it"
        )


def _state(paths: list[Path]) -> State:
    from qa.watch import state_of

    return state_of(paths)


def _watch(assistant: Assistant, paths: list[Path], done: State) -> None:
    from threading import Event

    from qa.watch import watch

    def follow() -> bool:
        try:
            print_report(assistant.reindex(note))
            assistant.warm(note)
        except QAError as error:
            note(f"error: {error}; tried again at the next look")
            return False
        return True

    note("watching; Ctrl-C ends")
    watch(paths, follow, every_s=_LOOK_S, stop=Event(), done=done)


def _existing(paths: list[Path]) -> list[Path]:
    for path in paths:
        try:
            exists = path.exists()
        except OSError as error:
            raise InputError(
                f"{str(path)!r} cannot be reached ({error.strerror}); check the path"
            ) from error
        if not exists:
            raise InputError(f"there is no file or folder {str(path)!r}: check the path")
    return paths


def _known_paths(settings: Settings, salvaged: Salvaged | None) -> list[Path]:
    """Return the documents folders, and when rebuilding also what else the index was made from."""
    folders = [path for path in settings.documents if os.path.exists(path)]
    folders = folders or list(settings.documents)
    if salvaged is None:
        return folders
    from qa.documents import is_there, split_member

    places = [Path(origin.path) for _, origin in salvaged.documents if origin.path]
    files = dict.fromkeys(split_member(place)[0] for place in places if is_there(place))
    known = [folder.resolve() for folder in folders]
    return folders + [
        file for file in files if not any(file.is_relative_to(folder) for folder in known)
    ]


def _add_user(auth_file: Path | None, name: str) -> int:
    if auth_file is None:
        raise InputError("--add-user needs the file to add to: --auth-file FILE")
    from qa.api.access import add_user

    if sys.stdin.isatty():
        password = getpass.getpass(f"Password of {name}: ")
        if getpass.getpass("Again: ") != password:
            raise InputError("the two passwords differ; nothing was changed")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    add_user(auth_file, name, password)
    note(f"{name} may ask now; start with: qa serve --auth-file {auth_file}")
    return ANSWERED


def _json(answer: Answer) -> str:
    text = json.dumps(asdict(answer), ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a stdout that is not UTF-8, a lone surrogate
        return json.dumps(asdict(answer))
    return text


def _measure(module: str, context: typer.Context, settings: Settings) -> int:
    if importlib.util.find_spec("qa_eval") is None:
        raise InputError(f"{module!r} is not installed: run it from a checkout, after make setup")
    return int(importlib.import_module(module).main(context.args, settings))
