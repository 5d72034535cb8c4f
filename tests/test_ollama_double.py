"""The double answers the recorded requests as the recorded servers did."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from ollama_double import (
    BARE_TEMPLATE,
    Fault,
    OllamaDouble,
    conform,
    recorded,
    recorded_lines,
    violations,
)

VERSIONS = ["0.32.15", "0.24.0"]
REPLAYED = [
    "version", "tags", "show", "show-missing", "ps-empty", "load-only", "unload", "chat-plain",
    "chat-schema-cold", "chat-schema-logprobs", "probe", "schema-num-predict-cut",
    "schema-invalid", "schema-not-json", "chat-missing-model", "chat-no-model", "chat-bad-json",
    "chat-bad-option", "think-true-unsupported", "overflow-truncate-false", "overflow-default",
    "other-document",
]  # fmt: skip
# A value that differs between two machines or two moments is not compared, only that it is there.
VOLATILE = {"created_at", "logprobs", "tensors"}
COUNTED = {"prompt_eval_count", "eval_count"}


def send(server, exchange):
    """Send a recorded request as it was; return status, headers, the lines."""
    request = exchange["request"]
    body = request["body"]
    raw = body if body is None or isinstance(body, str) else json.dumps(body)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    connection.request(request["method"], request["path"], raw and raw.encode())
    response = connection.getresponse()
    lines = [json.loads(line) for line in response.read().splitlines() if line.strip()]
    connection.close()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return response.status, headers, lines


def whole(exchange):
    """Give a recorded request the length that it had when it was cut for the record."""
    for message in (exchange["request"]["body"] or {}).get("messages", []):
        content, cut, _ = message["content"].partition("… (")
        if cut:
            message["content"] = content * (22358 // len(content))
    return exchange


def replay_rule(version, name):
    """Answer with the text that the recorded server wrote."""
    lines = recorded_lines(version, name)
    text = "".join(line.get("message", {}).get("content", "") for line in lines)
    if lines[-1].get("done_reason") == "length":
        text += " et la suite que num_predict a coupée" * 3
    return lambda messages, body: text


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", REPLAYED)
def test_a_recorded_request_is_answered_as_recorded(version, name):
    exchange = recorded(version, name)
    if name.startswith("overflow"):
        exchange = whole(exchange)
    with OllamaDouble(version, reply=replay_rule(version, name)) as server:
        status, headers, lines = send(server, exchange)
    expected = recorded_lines(version, name)
    assert status == exchange["status"]
    assert headers["content-type"] == exchange["headers"]["content-type"]
    assert ("transfer-encoding" in headers) == ("transfer-encoding" in exchange["headers"])
    for line, model in [(lines[0], expected[0]), (lines[-1], expected[-1])]:
        assert set(line) == set(model)
        assert line.get("done_reason") == model.get("done_reason")
        assert line.get("done") == model.get("done")
    if "error" in expected[0]:
        same_error(lines[0]["error"], expected[0]["error"])


def same_error(error, model):
    """Compare error texts; token counts inside them need only be there."""
    try:
        error, model = json.loads(error)["error"], json.loads(model)["error"]
    except ValueError:
        assert error == model
        return
    assert set(error) == set(model)
    assert error["type"] == model["type"]


@pytest.mark.parametrize("version", VERSIONS)
def test_state_answers_are_the_recorded_ones(version):
    with OllamaDouble(version) as server:
        for name in ("version", "tags", "show", "show-missing", "ps-empty"):
            _, _, lines = send(server, recorded(version, name))
            expected = recorded_lines(version, name)
            if name == "version":
                assert lines == expected
            else:
                assert drop(lines[0]) == drop(expected[0])
        send(server, recorded(version, "load-only"))
        _, _, lines = send(server, recorded(version, "ps-loaded"))
        assert drop(lines[0]) == drop(recorded_lines(version, "ps-loaded")[0])


def drop(answer):
    return {key: value for key, value in answer.items() if key not in VOLATILE}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_stream_has_one_line_a_token_and_the_recorded_text(version):
    for name in ("chat-plain", "chat-schema-cold", "probe"):
        with OllamaDouble(version, reply=replay_rule(version, name)) as server:
            _, _, lines = send(server, recorded(version, name))
        expected = recorded_lines(version, name)
        text, model = (
            "".join(line["message"]["content"] for line in some) for some in (lines, expected)
        )
        cut = lines[-1]["done_reason"] == "length"
        assert text[:1] == model[:1] if cut else json_or_words(text) == json_or_words(model)
        # A stop is a token too: it is counted and has no line of its own.
        stopped = lines[-1]["done_reason"] == "stop"
        assert lines[-1]["eval_count"] == len(lines) - 1 + stopped
        model_stopped = expected[-1]["done_reason"] == "stop"
        assert expected[-1]["eval_count"] == len(expected) - 1 + model_stopped


def json_or_words(text):
    return json.loads(text) if text.startswith("{") else text.split()


@pytest.mark.parametrize("version", VERSIONS)
def test_prompt_counts_are_within_a_tenth_of_the_recorded_ones(version):
    with OllamaDouble(version) as server:
        for name in ("chat-schema-cold", "probe", "other-document"):
            _, _, lines = send(server, recorded(version, name))
            model = recorded_lines(version, name)[-1]
            assert lines[-1]["prompt_eval_count"] == pytest.approx(
                model["prompt_eval_count"], rel=0.1
            )


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_cached_and_what_is_read_anew_is_as_recorded(version):
    """Cold, warm, another document, back, another num_ctx: the recorded durations, by kind."""
    order = ["chat-schema-cold", "answer-after-probe", "other-document", "back-to-first-document",
             "num-ctx-change-reload"]  # fmt: skip
    cold = recorded_lines(version, "chat-schema-cold")[-1]
    with OllamaDouble(version) as server:
        answers = {name: send(server, recorded(version, name))[2][-1] for name in order}
    for name in order:
        model, answer = recorded_lines(version, name)[-1], answers[name]
        share = share_read(model, cold)
        assert (share_read(answer, answers["chat-schema-cold"]) > 0.5) == (share > 0.5), name
        assert (answer["load_duration"] > 1e9) == (model["load_duration"] > 1e9) or (
            name == "chat-schema-cold"  # the recorded server had the model loaded already
        )


def share_read(line, cold):
    per_token = cold["prompt_eval_duration"] / cold["prompt_eval_count"]
    return line["prompt_eval_duration"] / line["prompt_eval_count"] / per_token


@pytest.mark.parametrize("version", VERSIONS)
def test_a_dead_runner_looks_as_recorded_and_the_next_call_loads_anew(version):
    with OllamaDouble(version) as server:
        server.faults.append(Fault("dead_runner", after=3))
        status, _, lines = send(server, recorded(version, "runner-killed-mid-stream"))
        assert status == 200
        assert lines[-1] == recorded_lines(version, "runner-killed-mid-stream")[-1]
        assert not any(line.get("done") for line in lines)
        _, _, lines = send(server, recorded(version, "after-runner-killed"))
        assert lines[-1]["load_duration"] > 1e9
        assert recorded_lines(version, "after-runner-killed")[-1]["load_duration"] > 1e9


def test_the_old_version_cuts_an_overflow_silently():
    exchange = whole(recorded("0.24.0", "overflow-default"))
    with OllamaDouble("0.24.0") as server:
        status, _, lines = send(server, exchange)
    model = recorded_lines("0.24.0", "overflow-default")[-1]
    assert status == 200
    assert lines[-1]["prompt_eval_count"] == model["prompt_eval_count"] == 4096


def test_a_bare_template_drops_the_system_message():
    exchange = recorded("0.24.0-bare-template", "chat-schema-cold")
    with OllamaDouble("0.24.0", template=BARE_TEMPLATE) as server:
        _, _, lines = send(server, exchange)
        _, _, shown = send(server, recorded("0.24.0-bare-template", "show"))
    assert shown[0]["template"] == recorded_lines("0.24.0-bare-template", "show")[0]["template"]
    assert lines[-1]["prompt_eval_count"] == pytest.approx(15, abs=5)


@pytest.mark.parametrize("name", ["warm", "probe-standalone-1", "probe-top-21"])
def test_exchanges_of_the_new_version_alone(name):
    exchange = recorded("0.32.15", name)
    with OllamaDouble("0.32.15", reply=replay_rule("0.32.15", name)) as server:
        status, headers, lines = send(server, exchange)
    assert status == exchange["status"]
    assert headers["content-type"] == exchange["headers"]["content-type"]
    assert set(lines[-1]) == set(recorded_lines("0.32.15", name)[-1])


def test_logprobs_have_the_recorded_shape():
    exchange = recorded("0.32.15", "probe")
    with OllamaDouble(reply=replay_rule("0.32.15", "probe")) as server:
        _, _, lines = send(server, exchange)
    entry, model = lines[0]["logprobs"][0], recorded_lines("0.32.15", "probe")[0]["logprobs"][0]
    assert set(entry) == set(model)
    assert set(entry["top_logprobs"][0]) == set(model["top_logprobs"][0])
    assert entry["top_logprobs"][0]["bytes"] == list(entry["top_logprobs"][0]["token"].encode())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_recorded_requests_are_as_published_but_for_known_extras(version):
    """The published API has no ``truncate`` and no ``shift``; the recorder sent them on purpose."""
    for name in REPLAYED:
        request = recorded(version, name)["request"]
        found = violations(request["method"], request["path"], request["body"])
        on_purpose = ("truncate", "shift", "num_ctx", "format", "model", "no JSON object")
        assert all(any(word in one for word in on_purpose) for one in found), found


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": [], "num_ctx": 4096}, "num_ctx"),
        ({"model": "m", "messages": [{"role": "judge", "content": "x"}]}, "judge"),
        ({"model": "m", "messages": [], "options": {"num_ctx": "many"}}, "many"),
    ],
)
def test_a_body_that_is_not_as_published_is_a_violation(body, word):
    assert any(word in one for one in violations("POST", "/api/chat", body))


def test_a_schema_is_enforced_in_what_is_written():
    schema = {
        "type": "object",
        "properties": {
            "ids": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 9},
                "maxItems": 2,
            },
            "text": {"type": "string", "maxLength": 4},
            "sure": {"type": "string", "enum": ["oui", "non"]},
        },
        "required": ["ids", "text", "sure"],
    }
    written = json.loads(conform('{"ids": [999, 0, 3], "text": "Bonjour", "sure": "bof"}', schema))
    assert written == {"ids": [9, 1], "text": "Bonj", "sure": "oui"}
    assert json.loads(conform("no JSON at all", schema)) == {"ids": [], "text": "", "sure": "oui"}
