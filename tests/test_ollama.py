"""Ollama models against the double: what is sent, what is checked, and each fault's clear error."""

import contextlib
import json
import socket
import sys
import threading
import time

import pytest

from ollama_double import BARE_TEMPLATE, Fault, OllamaDouble, Reply, recorded
from qa.errors import InputError, ModelUnavailable, PromptTooLong
from qa.llm import ollama_server
from qa.llm.ollama import OllamaModel
from qa.llm.ollama_errors import overflow_of
from qa.llm.ollama_measure import Verdict
from qa.llm.ollama_models import best_model, suggest_pull, usable_model
from qa.llm.ollama_server import ModelInfo, ServerInfo, find_model, probe_server, server_url
from qa.types import Message, Prompt

DOCUMENT = tuple(
    Message(message["role"], message["content"])
    for message in recorded("0.32.15", "chat-schema-cold")["request"]["body"]["messages"][:1]
)
QUESTION = Message("user", "Combien de soldats américains sont déployés en Irak ?")
SCHEMA = {
    "type": "object",
    "properties": {"ids": {"type": "array", "items": {"type": "integer", "maximum": 13}}},
    "required": ["ids"],
}
VERSIONS = ["0.32.15", "0.24.0"]
GB = 1_000_000_000


def say_hello(messages, body):
    return "Il y a 2500 soldats en Irak et 900 en Syrie."


@pytest.fixture(params=VERSIONS)
def server(request):
    with OllamaDouble(request.param, reply=say_hello) as double:
        yield double
    assert double.violations == []


@pytest.fixture
def old_server():
    with OllamaDouble("0.24.0", reply=say_hello) as double:
        yield double
    assert double.violations == []


def open_model(server, **options):
    return OllamaModel(server.url, server.model, **{"retry_wait_s": 0.01, **options})


def ask(model, *messages, **options):
    """Return the whole text and the last token."""
    prompt = Prompt(messages or (QUESTION,), **{"max_tokens": 40, **options})
    tokens = list(model.stream(prompt))
    return "".join(token.text for token in tokens), tokens[-1]


def still_works(model):
    text, last = ask(model)
    assert text == say_hello(None, None)
    assert last.finish == "stop"


# What is sent.


def test_an_answer_streams_and_its_last_token_has_the_counts(server):
    model = open_model(server)
    tokens = list(model.stream(Prompt((*DOCUMENT, QUESTION), 40)))
    assert "".join(t.text for t in tokens) == say_hello(None, None)
    assert len(tokens) > 5
    assert all(token.usage is None for token in tokens[:-1])
    assert tokens[-1].usage.prompt_tokens == pytest.approx(788, rel=0.1)
    assert tokens[-1].usage.generated_tokens == len(tokens)  # the stop is a token too
    assert not tokens[-1].usage.truncated


def test_every_request_of_a_model_has_the_same_launch_attributes(server):
    model = open_model(server, context_tokens=2048, seed=7)
    model.warm(DOCUMENT)
    ask(model, *DOCUMENT, QUESTION, slot="document", schema=SCHEMA)
    ask(model, QUESTION, slot="probe", max_tokens=1, top_logprobs=20)
    ask(model, QUESTION, stop=("\n",))
    assert len(server.chats) == 7
    for body in server.chats:
        assert {"truncate", "shift"}.isdisjoint(body)
        assert body["options"]["num_ctx"] == 2048
        assert body["think"] is False
        assert body["keep_alive"] == "30m"
        assert body["stream"] is True
        fixed = ("temperature", "seed", "repeat_penalty", "presence_penalty")
        assert [body["options"][name] for name in fixed] == [0, 7, 1.0, 0]
    assert server.loads == 1
    assert server.chats[-2]["top_logprobs"] == 20
    assert server.chats[-3]["format"] == SCHEMA
    assert server.chats[-1]["options"]["stop"] == ["\n"]


def test_num_predict_ends_an_answer_with_length(server):
    _, last = ask(open_model(server), max_tokens=3)
    assert last.finish == "length"
    assert last.usage.generated_tokens == 3


def test_logprobs_reach_the_token_best_first(server):
    server.reply = lambda messages, body: Reply("Oui", ({"O": -0.3, "Non": -1.5, "Oui": -4.0},))
    text, _ = ask(open_model(server), max_tokens=1, top_logprobs=20)
    tokens = list(open_model(server).stream(Prompt((QUESTION,), 1, top_logprobs=99)))
    assert text == "Oui"
    assert [c.token for c in tokens[0].top] == ["O", "Non", "Oui"]
    assert [c.logprob for c in tokens[0].top] == [-0.3, -1.5, -4.0]


@pytest.mark.parametrize(("setting", "sent"), [("-1", -1), ("3600", 3600), ("1h", "1h")])
def test_a_number_of_seconds_is_sent_as_a_number(server, setting, sent):
    model = open_model(server, keep_alive=setting)
    still_works(model)
    assert server.chats[-1]["keep_alive"] == sent


def test_a_window_larger_than_the_model_was_trained_for_is_cut_to_it(server):
    assert open_model(server, context_tokens=1_000_000).context_tokens == 32768


# Faults: a clear error, and the model is usable afterwards.


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("dead_runner"), "unexpected EOF.*ask again"),
        (Fault("dead_runner", after=1), "unexpected EOF.*ask again"),
        (Fault("cut_stream"), "without its last line.*ask again"),
        (Fault("cut_connection"), "broke.*ask again"),
        (Fault("invalid_json"), "not Ollama's.*ask again"),
        (Fault("not_an_object"), "not Ollama's.*ask again"),
        (Fault("missing_model"), "ollama pull qwen2.5-coder:1.5b"),
        (Fault("server_error"), "500.*signal: killed.*another model"),
        (Fault("proxy_error"), "^.{,300}502.{,300}$"),
        (Fault("queue_full", times=2), "queue.*full.*OLLAMA_MAX_QUEUE"),
        (Fault("slow_first_token", delay_s=3), "within 0.3 s.*ollama_timeout_s"),
        (Fault("hold"), "within 0.3 s.*ollama_timeout_s"),
        (Fault("only_thinking"), "thoughts.*no answer.*instruct"),
    ],
    ids=lambda value: f"{value.kind}-{value.after}" if isinstance(value, Fault) else "",
)
def test_a_fault_is_a_clear_error_and_the_next_question_works(server, fault, words):
    model = open_model(server, timeout_s=0.3)
    server.faults.append(fault)
    with pytest.raises(ModelUnavailable, match=words):
        ask(model)
    server.release()
    still_works(model)


def test_one_full_queue_is_waited_for(server):
    model = open_model(server)
    server.faults.append(Fault("queue_full"))
    still_works(model)
    assert len(server.chats) == 2


def test_a_refused_think_is_left_out_from_then_on(server):
    model = open_model(server)
    server.faults.append(Fault("refuse_think", times=3))
    still_works(model)
    still_works(model)
    assert ["think" in body for body in server.chats] == [True, False, False]


@pytest.mark.parametrize("kind", ["thinking_first", "inline_thinking"])
def test_thoughts_are_never_part_of_the_answer(server, kind):
    server.faults.append(Fault(kind, after=4))
    text, _ = ask(open_model(server), max_tokens=80)
    assert text.strip() == say_hello(None, None)


def test_an_answer_that_begins_like_a_thought_is_kept_whole(server):
    server.reply = lambda messages, body: " <thin line"
    assert ask(open_model(server))[0] == " <thin line"
    server.reply = lambda messages, body: "<th"
    assert ask(open_model(server))[0] == "<th"


def test_a_server_without_logprobs_is_found_out(server):
    model = open_model(server)
    assert model.has_logprobs
    server.faults.append(Fault("no_logprobs"))
    ask(model, top_logprobs=20)
    assert not model.has_logprobs
    ask(model, top_logprobs=20)
    assert "logprobs" not in server.chats[-1]


def test_text_that_was_held_back_to_the_end_does_not_mean_no_logprobs(server):
    model = open_model(server)
    server.faults.append(Fault("late_text"))
    text, _ = ask(model, top_logprobs=20)
    assert text.endswith(" fin")
    assert model.has_logprobs


@pytest.mark.parametrize(
    ("version", "has"), [("0.12.10", False), ("0.12.11", True), ("0.0.0", True)]
)
def test_the_version_says_whether_there_are_logprobs(version, has):
    with OllamaDouble(version) as server:
        assert open_model(server).has_logprobs is has


def test_nobody_there_is_a_clear_error_with_a_remedy():
    with OllamaDouble() as server:
        model = open_model(server)
        url = server.url
    with pytest.raises(ModelUnavailable, match=r"no Ollama server answers.*ollama serve"):
        ask(model)
    with pytest.raises(ModelUnavailable, match=r"no Ollama server answers.*ollama serve"):
        OllamaModel(url, "x")


def test_a_model_that_is_not_installed_is_named_with_its_pull(server):
    with pytest.raises(ModelUnavailable, match=r"'ministral-3:3b'.*ollama pull ministral-3:3b"):
        OllamaModel(server.url, "ministral-3:3b")


def test_a_closed_model_says_so(server):
    model = open_model(server)
    model.close()
    model.close()
    with pytest.raises(ModelUnavailable, match=r"closed"):
        ask(model)


# Stopping.


def test_closing_the_generator_closes_the_connection(server):
    server.faults.append(Fault("hold", after=2))
    model = open_model(server)
    tokens = model.stream(Prompt((QUESTION,), 40))
    assert next(tokens).text
    tokens.close()
    assert server.wait_for_disconnect()
    still_works(model)


def test_cancel_stops_a_call_that_still_awaits_its_first_token(server):
    server.faults.append(Fault("hold", after=0))
    model = open_model(server)
    errors = []

    def call():
        try:
            ask(model)
        except ModelUnavailable as error:
            errors.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    assert server.wait_for_chat()
    model.cancel()
    thread.join(5)
    assert len(errors) == 1
    assert "was stopped" in errors[0]
    assert server.wait_for_disconnect()
    still_works(model)


def test_two_threads_get_their_own_answers(server):
    server.reply = lambda messages, body: f"Réponse à {messages[-1]['content']}"
    model = open_model(server)
    texts = {}

    def call(word):
        texts[word] = ask(model, Message("user", word))[0]

    threads = [threading.Thread(target=call, args=(word,)) for word in ("Paris", "Rome", "Oslo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert texts == {word: f"Réponse à {word}" for word in ("Paris", "Rome", "Oslo")}


# Counting and verification.


def long_messages(sentences):
    text = " ".join(f"La phrase {n} parle du sujet {n * 7}." for n in range(sentences))
    return (Message("system", text), QUESTION)


def test_an_overflow_answered_with_400_is_prompt_too_long_with_its_numbers():
    with OllamaDouble("0.32.15") as server:
        model = open_model(server, context_tokens=512)
        with pytest.raises(PromptTooLong, match=r"512.*context_tokens") as caught:
            ask(model, *long_messages(80))
        assert caught.value.context_tokens == 512
        assert caught.value.prompt_tokens > 512
        assert len(server.chats) == 1


def test_an_overflow_cut_silently_is_prompt_too_long_after_the_call(old_server):
    model = open_model(old_server, context_tokens=512)
    with pytest.raises(PromptTooLong, match=r"cut the prompt.*512") as caught:
        ask(model, *long_messages(80))
    assert caught.value.prompt_tokens > 512
    assert len(old_server.chats) == 1
    still_works(model)


def test_what_cannot_fit_is_refused_before_it_is_sent(server):
    model = open_model(server, context_tokens=512)
    with pytest.raises(PromptTooLong):
        ask(model, *long_messages(2000))
    assert server.chats == []


def test_a_400_that_tells_no_numbers_is_an_overflow_too():
    assert overflow_of("the input length exceeds the context length") == (0, 0)
    assert overflow_of("top_logprobs must be between 0 and 20") is None


def test_a_bare_template_is_found_when_the_model_is_opened():
    with OllamaDouble("0.24.0", template=BARE_TEMPLATE) as server:
        model = open_model(server)
        assert "TEMPLATE" in model.problems[0]
        with pytest.raises(ModelUnavailable, match=r"drops the system message.*ollama pull"):
            ask(model)
        with pytest.raises(ModelUnavailable, match=r"drops the system message"):
            model.warm(DOCUMENT)
        assert server.chats == []


def test_a_template_that_drops_messages_unseen_is_found_by_the_count():
    """The template looks right, but the server counts 15 tokens instead of 788."""
    with OllamaDouble("0.24.0") as server:
        model = open_model(server)
        server.template = BARE_TEMPLATE
        with pytest.raises(ModelUnavailable, match=r"drops messages.*TEMPLATE"):
            model.warm(DOCUMENT)
        with pytest.raises(ModelUnavailable, match=r"drops messages"):
            ask(model, *DOCUMENT, QUESTION)


def test_the_new_version_shows_a_bare_modelfile_and_a_whole_template():
    with OllamaDouble("0.32.15") as server:
        shown = server.show(server.model)
        assert "TEMPLATE {{ .Prompt }}" in shown["modelfile"]
        assert open_model(server).problems == ()


def test_a_built_in_renderer_needs_no_template():
    with OllamaDouble("0.32.15", template=BARE_TEMPLATE) as server:
        server._show["modelfile"] += "RENDERER ministral\nPARSER ministral\n"
        assert open_model(server).problems == ()


def test_a_prompt_whose_known_prefix_was_lost_is_noticed(old_server):
    """The prefix's exact size is known from the warm-up, so a smaller count cannot be all of it."""
    model = open_model(old_server)
    model.warm(DOCUMENT)
    short = (Message("system", DOCUMENT[0].content[:2300]), QUESTION)
    old_server.render = lambda messages, _render=old_server.render: _render(
        [{"role": m.role, "content": m.content} for m in short]
    )
    with pytest.raises(ModelUnavailable, match=r"drops messages"):
        ask(model, *DOCUMENT, QUESTION)


def test_texts_with_few_tokens_for_their_length_are_not_taken_for_cut(server):
    model = open_model(server)
    server.render = lambda messages: ["x"] * 60
    ask(model, Message("user", "Tableau : " + "-" * 900 + " | " + "=-" * 400 + " " * 2000))


def test_token_counts_are_careful_before_and_close_after_the_warm_up(server):
    model = open_model(server)
    text = DOCUMENT[0].content
    before = model.count_tokens(text)
    exact = model.warm(DOCUMENT).prompt_tokens
    after = model.count_tokens(text)
    assert exact <= after < before
    assert after <= 1.2 * exact
    assert model.count_tokens("") == 0
    assert model.count_tokens("这是一个中文句子") >= 8
    assert model.count_tokens("1234567890") == 10


@pytest.mark.parametrize(("version", "kept"), [("0.32.15", True), ("0.24.0", False)])
def test_the_first_warm_up_measures_whether_prefixes_are_kept(version, kept):
    with OllamaDouble(version) as server:
        model = open_model(server)
        lines = []
        model.warm(DOCUMENT, lines.append)
        assert model.keeps_prefixes is kept
        assert len(lines) == 2
        calls = len(server.chats)
        other = (Message("system", f"Un autre document. {DOCUMENT[0].content}"),)
        assert model.has_prefix(DOCUMENT)
        assert not model.has_prefix(other)
        model.warm(DOCUMENT)
        assert len(server.chats) == calls
        model.warm(other)
        assert len(server.chats) == calls + 1
        assert model.has_prefix(DOCUMENT) is kept


@pytest.mark.parametrize(
    ("keep_alive", "held"),
    [
        *((short, False) for short in ("5m", "300", "30s", "0")),
        *((long, True) for long in ("30m", "0h13m", "1.5h", "3600", "-1")),
    ],
)
def test_what_the_server_has_unloaded_since_is_not_believed_to_be_held(
    monkeypatch, keep_alive, held
):
    with OllamaDouble() as server:
        model = open_model(server, keep_alive=keep_alive)
        model.warm(DOCUMENT)
        in_ten_minutes = time.monotonic() + 600
        monkeypatch.setattr(time, "monotonic", lambda: in_ten_minutes)
        assert model.has_prefix(DOCUMENT) is held


def test_threads_that_use_one_prefix_do_not_meet():
    with OllamaDouble() as server:
        model = open_model(server)
        model.warm(DOCUMENT)
        calls, errors = len(server.chats), []

        def use():
            try:
                for _ in range(3000):
                    assert model.has_prefix(DOCUMENT)
                    model.warm(DOCUMENT)
            except Exception as error:
                errors.append(error)

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=use) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        finally:
            sys.setswitchinterval(before)
        assert errors == []
        assert len(server.chats) == calls


def test_the_measurement_and_not_the_version_decides():
    with OllamaDouble("0.24.0") as server:
        server.version = "0.0.0"
        model = open_model(server)
        model.warm(DOCUMENT)
        assert not model.keeps_prefixes
    with OllamaDouble("0.32.15") as server:
        server.version = "0.0.0"
        model = open_model(server)
        assert not model.keeps_prefixes
        model.warm(DOCUMENT)
        assert model.keeps_prefixes


def test_a_measurement_is_kept_for_the_next_process(server, tmp_path):
    open_model(server, memory=tmp_path / "ollama").warm(DOCUMENT)
    calls = len(server.chats)
    again = open_model(server, memory=tmp_path / "ollama")
    again.warm(DOCUMENT)
    assert len(server.chats) == calls + 1
    assert again.keeps_prefixes is not server.own_runner
    (file,) = (tmp_path / "ollama").iterdir()
    file.write_text("{damaged")
    open_model(server, memory=tmp_path / "ollama").warm(DOCUMENT)
    assert len(server.chats) == calls + 5


def test_a_source_build_is_measured_in_each_process(server, tmp_path):
    server.version = "0.0.0"
    open_model(server, memory=tmp_path).warm(DOCUMENT)
    assert list(tmp_path.iterdir()) == []


def test_computed_tokens_are_all_when_cold_and_few_when_cached(server):
    model = open_model(server)
    cold = model.warm(DOCUMENT)
    _, last = ask(model, *DOCUMENT, QUESTION)
    assert cold.computed_tokens == cold.prompt_tokens
    assert last.usage.computed_tokens < 0.1 * last.usage.prompt_tokens


def test_the_first_reading_may_be_slow_from_the_disk_without_looking_kept():
    assert not Verdict.of(first=0.1, other=0.02, again=0.019).keeps_prefixes
    assert Verdict.of(first=0.02, other=0.02, again=0.002).keeps_prefixes


# Which server, which model.


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:1234", "http://127.0.0.1:1234"),
        ("http://0.0.0.0:1234/", "http://127.0.0.1:1234"),
        (":1234", "http://127.0.0.1:1234"),
        ("[::]:1234", "http://[::1]:1234"),
        ("::1", "http://[::1]:11434"),
        ('"1.2.3.4:99"', "http://1.2.3.4:99"),
        ("gpu.local", "http://gpu.local:11434"),
        ("HTTPS://gpu.local/ollama/", "https://gpu.local:443/ollama"),
    ],
)
def test_the_server_address_is_read_as_ollama_reads_it(setting, url):
    assert server_url(setting) == url


@pytest.mark.parametrize("setting", ["ftp://x", "host:port", "a b", "http://[::1"])
def test_what_is_no_address_is_refused_with_an_example(setting):
    with pytest.raises(InputError, match="11434"):
        server_url(setting)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(InputError, match="password") as caught:
        server_url("http://me:secret@gpu.local:8080")
    assert "secret" not in str(caught.value)


def test_a_server_tells_what_it_holds(server):
    info = probe_server(server.url.removeprefix("http://"))
    assert info.version == server.version
    (model,) = info.models
    assert model.name == "qwen2.5-coder:1.5b"
    assert model.size_bytes > GB
    assert model.family == "qwen2"
    assert len(model.digest) == 64


def test_no_server_and_another_server_are_both_none(server):
    port = int(server.url.rpartition(":")[2])
    server.tag_list = lambda: {"hello": "world"}
    assert probe_server(server.url) is None
    server.__exit__()
    assert probe_server(f"127.0.0.1:{port}") is None
    server.__enter__()


def test_a_server_that_is_slow_to_list_its_models_is_there(server, monkeypatch):
    monkeypatch.setattr(ollama_server, "_CONNECT_TIMEOUT_S", 0.1)
    listed = server.tag_list

    def slowly():
        time.sleep(0.3)
        return listed()

    server.tag_list = slowly
    assert probe_server(server.url) is not None


def test_a_machine_that_does_not_answer_costs_no_more_than_connecting_may(monkeypatch):
    assert ollama_server._CONNECT_TIMEOUT_S <= 1
    monkeypatch.setattr(ollama_server, "_CONNECT_TIMEOUT_S", 0.1)
    with contextlib.ExitStack() as opened:
        silent = opened.enter_context(socket.socket())
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(3):  # its queue is full: nobody is let in any more
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())
        started = time.monotonic()
        assert probe_server(f"127.0.0.1:{silent.getsockname()[1]}") is None
        assert time.monotonic() - started < 1


def info_of(*models):
    return ServerInfo("http://127.0.0.1:11434", "0.32.15", models)


def test_the_named_model_is_taken_with_or_without_its_tag():
    latest = ModelInfo("Mistral:latest", size_bytes=4 * GB)
    info = info_of(latest, ModelInfo("qwen3:8b", size_bytes=5 * GB))
    assert best_model(info, "mistral") is latest
    assert find_model(info, "mistral:latest") is latest
    assert best_model(info, "mistral:7b") is None
    assert best_model(info, "qwen3") is None


@pytest.mark.parametrize(
    ("names", "free_gb", "best"),
    [
        ({"llama3.2:3b": 2, "ministral-3:3b": 2, "qwen3.5:4b": 3}, 8, "ministral-3:3b"),
        ({"ministral-3:3b": 2, "ministral-3:8b": 6}, 16, "ministral-3:8b"),
        ({"ministral-3:3b": 2, "ministral-3:8b": 6}, 6, "ministral-3:3b"),
        ({"qwen2.5-coder:7b": 4.7, "gemma3:4b": 3.3}, 8, "gemma3:4b"),
        ({"qwen2.5-coder:1.5b": 1.1, "nomic-embed-text": 0.3}, 8, "qwen2.5-coder:1.5b"),
        ({"llama3.1:70b": 40, "phi4-mini": 2.5}, 64, "phi4-mini"),
        ({"llama3.1:70b": 40, "mixtral:8x22b": 80}, 8, "llama3.1:70b"),
        ({"qwen3:0.6b": 0.5, "llama3.2:3b": 2}, 8, "llama3.2:3b"),
        ({"qwen3:4b-thinking-2507": 2.6, "llama3.2:3b": 2}, 16, "llama3.2:3b"),
        ({"deepseek-r1:8b": 5, "gpt-oss:20b": 13.8, "phi3": 2.2}, 32, "phi3"),
        ({"gpt-oss:20b": 13.8}, 32, "gpt-oss:20b"),
        ({"llava:7b": 4.7, "bge-m3": 1.2}, 16, None),
        ({"ministral-3:8b-cloud": 0, "gpt-oss:120b-cloud": 0}, 16, None),
        ({}, 16, None),
    ],
)
def test_the_best_installed_model_fits_and_chats(names, free_gb, best):
    models = [
        ModelInfo(name, size_bytes=int(size * GB), remote=name.endswith("cloud"))
        for name, size in names.items()
    ]
    found = best_model(info_of(*models), free_bytes=int(free_gb * GB))
    assert (found and found.name) == best


def test_a_model_without_the_completion_capability_is_not_for_chat():
    models = (
        ModelInfo("arctic", size_bytes=GB, capabilities=("embedding",)),
        ModelInfo("mini", size_bytes=2 * GB, capabilities=("completion", "tools")),
    )
    info = info_of(*models)
    assert best_model(info, free_bytes=8 * GB).name == "mini"
    assert best_model(info, "arctic") is None
    with pytest.raises(ModelUnavailable, match=r"'arctic' writes no text \(embedding\)"):
        usable_model(info, "arctic")


def test_a_model_that_runs_elsewhere_is_never_used():
    tags = [
        {"name": "kimi:1t-cloud", "size": 300, "digest": "a"},
        {"name": "private:7b", "size": 300, "remote_host": "https://ollama.com:443"},
    ]
    with OllamaDouble(tags=tags) as server:
        info = probe_server(server.url)
        assert best_model(info) is None
        assert best_model(info, "private:7b") is None
        for tag in tags:
            with pytest.raises(ModelUnavailable, match="somebody else's computer"):
                OllamaModel(server.url, tag["name"])


@pytest.mark.parametrize(
    ("free_gb", "pull"),
    [
        (3, "ollama pull qwen2.5:1.5b-instruct"),
        (7, "ollama pull ministral-3:3b"),
        (15, "ollama pull ministral-3:8b"),
    ],
)
def test_the_suggested_pull_fits_the_memory(free_gb, pull):
    assert suggest_pull(free_gb * GB) == pull


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    still_works(open_model(server))


@pytest.mark.live
def test_a_real_server_answers_and_measures():
    info = probe_server("127.0.0.1:11434")
    chosen = best_model(info) if info else None
    if chosen is None:
        pytest.skip("no Ollama server with a usable model on this machine")
    model = OllamaModel(info.url, chosen.name)
    usage = model.warm(DOCUMENT)
    text, last = ask(model, *DOCUMENT, QUESTION, schema=SCHEMA)
    assert isinstance(json.loads(text)["ids"], list)
    assert last.usage.prompt_tokens >= usage.prompt_tokens - 16
