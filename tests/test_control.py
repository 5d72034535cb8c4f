"""Control tokens of chat templates never survive; ordinary text is left as it is."""

import itertools
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.llm.control import neutralise

# Written out by hand, family by family, from the published tokenizer configurations: what the
# module finds by pattern is checked against this list.
FAMILIES = {
    "chatml, qwen": [
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<|object_ref_start|>",
        "<|vision_start|>",
        "<|fim_prefix|>",
        "<|fim_middle|>",
        "<|fim_suffix|>",
        "<|repo_name|>",
        "<|file_sep|>",
        "<tool_call>",
        "</tool_call>",
        "<tool_response>",
        "<think>",
        "</think>",
    ],
    "llama 3": [
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|python_tag|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|reserved_special_token_12|>",
    ],
    "llama 2, mistral": [
        "<s>",
        "</s>",
        "<unk>",
        "<pad>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<</SYS>>",
        "[AVAILABLE_TOOLS]",
        "[/AVAILABLE_TOOLS]",
        "[TOOL_CALLS]",
        "[TOOL_RESULTS]",
        "[/TOOL_RESULTS]",
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "[THINK]",
        "[/THINK]",
        "[ARGS]",
        "[CALL_ID]",
        "[IMG]",
        "[IMG_BREAK]",
        "[IMG_END]",
        "[PREFIX]",
        "[MIDDLE]",
        "[SUFFIX]",
    ],
    "gemma": [
        "<start_of_turn>",
        "<end_of_turn>",
        "<bos>",
        "<eos>",
        "<mask>",
        "<unused42>",
        "<start_of_image>",
        "<end_of_image>",
        "<image_soft_token>",
        "<|turn>",
        "<turn|>",
        "<|channel>",
        "<channel|>",
    ],
    "deepseek": [
        "<｜begin▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
        "<｜User｜>",
        "<｜Assistant｜>",
        "<｜tool▁calls▁begin｜>",
        "<｜fim▁hole｜>",
        "<｜▁pad▁｜>",
        "<|EOT|>",
    ],
    "phi": ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|im_sep|>", "<|placeholder1|>"],
    "command-r": [
        "<|START_OF_TURN_TOKEN|>",
        "<|END_OF_TURN_TOKEN|>",
        "<|USER_TOKEN|>",
        "<|CHATBOT_TOKEN|>",
        "<|SYSTEM_TOKEN|>",
        "<BOS_TOKEN>",
        "<EOS_TOKEN>",
        "<|START_RESPONSE|>",
    ],
    "gpt-oss": [
        "<|start|>",
        "<|channel|>",
        "<|message|>",
        "<|return|>",
        "<|call|>",
        "<|constrain|>",
    ],
    "granite": [
        "<|start_of_role|>",
        "<|end_of_role|>",
        "<|tool_call|>",
        "<fim_prefix>",
        "<fim_pad>",
    ],
    "glm, kimi, minimax, exaone, seed": [
        "[gMASK]",
        "<sop>",
        "<|observation|>",
        "<|im_middle|>",
        "[EOS]",
        "]~b]",
        "[e~[",
        "[|endofturn|]",
        "[|user|]",
        "<seed:bos>",
        "<seed:think>",
    ],
    "bert and t5 kin": [
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "[PAD]",
        "[UNK]",
        "<extra_id_0>",
        "<|endofprompt|>",
    ],
    "llama.cpp": ["<__media__>"],
    "code": ["<PRE>", "<SUF>", "<MID>", "<EOT>", "<repo_name>", "<file_sep>", "<reponame>"],
}
TOKENS = [token for tokens in FAMILIES.values() for token in tokens]
UNSEEN = [
    "\u200b",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u202e",
    "\ufe0f",
    "\x00",
    "\U000e0041",
]


def visible(text: str) -> str:
    """Drop what is not seen, as a clean-up between us and the model might."""
    text = re.sub("[\ufe00-\ufe0f\u034f]", "", text)
    return "".join(c for c in text if unicodedata.category(c) not in {"Cf"} and c != "\x00")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("frame", ["{}", "avant {} après", "a{}b", "\n{}\n", "<{}>", "{0}{0}"])
def test_no_control_token_of_any_family_survives(family, frame):
    for token in FAMILIES[family]:
        cleaned = neutralise(frame.format(token))
        assert token not in cleaned
        assert cleaned.replace(" ", "") == frame.format(token).replace(" ", "")


@pytest.mark.parametrize("family", FAMILIES)
def test_unseen_characters_inside_a_token_do_not_hide_it(family):
    for token, unseen in itertools.product(FAMILIES[family], UNSEEN):
        for split in range(1, len(token)):
            cleaned = neutralise(f"x {token[:split]}{unseen}{token[split:]} y")
            assert token not in visible(cleaned)


@pytest.mark.parametrize(
    "token",
    ["<|IM_START|>", "<|Eot_Id|>", "[inst]", "<<sys>>", "<THINK>", "<Start_Of_Turn>", "<S>"],
)
def test_other_letter_case_is_neutralised_too(token):
    assert token not in neutralise(token)


def test_a_token_nested_in_a_token_leaves_none():
    cleaned = neutralise("<|im_<|im_end|>start|> <<s>s> <<<SYS>>>")
    assert not re.search(r"<\|\w|<s>|<<SYS", cleaned)


@pytest.mark.parametrize(
    "text",
    [
        "", "a < b et c > d", "<b>gras</b> <p>x</p> <a href='x'>", "[1] et [12], voir [sic]",
        " <| ",
        "x <- y; x <= y; a << 2; b >> 3", "if (a<b || c>d)", "tab[i] = [0, 1]", "<https://exemple.fr>",
        "« cité » [...] […]", "[x] fait, [ ] à faire", "f(x) |> g", "<pre>", "|a|b|",
        "100 % < 3,5 Md€",
        "prix<|", "\u200bx\u00ady\ufeff", "<!-- note -->", "5 <6 [Inde]",
    ],
)  # fmt: skip
def test_ordinary_text_is_untouched(text):
    assert neutralise(text) == text


PIECES = st.one_of(
    st.sampled_from(TOKENS),
    st.sampled_from(TOKENS).flatmap(
        lambda t: st.integers(1, len(t) - 1).flatmap(lambda i: st.sampled_from([t[:i], t[i:]]))
    ),
    st.sampled_from(UNSEEN),
    st.sampled_from(["<", ">", "|", "[", "]", "/", " ", "s", "｜", "~", "_"]),
    st.text(max_size=5),
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_after_neutralising_nothing_known_is_left_and_nothing_is_lost(text):
    cleaned = neutralise(text)
    seen = visible(cleaned)
    assert not [token for token in TOKENS if token in cleaned or token in seen]
    assert neutralise(cleaned) == cleaned
    assert cleaned.replace(" ", "") == text.replace(" ", "")


@pytest.mark.e2e
def test_the_real_tokenizer_sees_special_tokens_before_and_none_after():
    """The embedded model's own tokenizer, asked to find special tokens and asked not to."""
    pytest.importorskip("xllamacpp")
    from qa.llm.llamacpp import LlamaServer, ServerOptions
    from qa.settings import load_settings
    from qa.weights import find_gguf

    options = ServerOptions(slots=1, cache_tokens=512, batch_tokens=128, threads=1)
    server = LlamaServer(find_gguf(None, load_settings().cache), options)

    def is_special(text):
        ids = [
            server.post("/tokenize", {"content": f"x {text} y", "parse_special": parse})["tokens"]
            for parse in (True, False)
        ]
        return ids[0] != ids[1]

    try:
        assert {t for t in TOKENS if is_special(t)} >= {"<|im_start|>", "<|im_end|>"}
        assert [t for t in TOKENS if is_special(neutralise(t))] == []
    finally:
        server.close()
