"""Write the encoder as a SentenceTransformer folder: weights, tokenizer and configuration.

It knows nothing of the file that the model was read from.

Example: ``write_folder(read_model(Path("e5-small-q4.bin")), Path("multilingual-e5-small"))``.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

from qa.weights.e5 import Model


def write_folder(model: Model, folder: Path) -> None:
    """Write ``model`` into the existing ``folder`` as ``SentenceTransformer`` expects it."""
    from safetensors.numpy import save_file

    save_file(model.tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "tokenizer.json").write_text(_tokenizer_json(model), encoding="utf-8")
    for name, value in _configs(model).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def _tokenizer_json(model: Model) -> str:
    """Rebuild the tokenizer: NFKC, single spaces, words with a leading metaspace, Unigram.

    NFKC says less than the model's own map: control characters vanish there, and zero-width and
    separator characters are spaces.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import Unigram

    words = model.vocabulary
    tokenizer = Tokenizer(Unigram(list(zip(words.pieces, words.scores, strict=True)), words.unk))
    removed, spaces = _beyond_nfkc(words.normalisation)
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(f"[{removed}]"), ""),
            normalizers.Replace(Regex(f"[{spaces}]"), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(r"\s+"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    bos, eos = words.pieces[words.bos], words.pieces[words.eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, words.bos), (eos, words.eos)],
    )
    special = [words.bos, words.pad, words.eos, words.unk]
    tokenizer.add_special_tokens(
        [AddedToken(words.pieces[i], normalized=False, special=True) for i in special]
    )
    return str(tokenizer.to_str())


def _beyond_nfkc(normalisation: dict[str, str]) -> tuple[str, str]:
    """Return two character classes: what the map removes and what it makes a space."""
    other = {
        source: target
        for source, target in normalisation.items()
        if unicodedata.normalize("NFKC", source) != target
    }
    removed = [source for source, target in other.items() if not target]
    spaces = [source for source, target in other.items() if target == " "]
    # NUL ends the text in the original engine; here it must not become an unknown piece.
    return _character_class(["\0", *removed]), _character_class([" ", *spaces])


def _character_class(characters: list[str]) -> str:
    return "".join(rf"\x{{{ord(character):x}}}" for character in characters)


def _configs(model: Model) -> dict[str, object]:
    shape, words = model.shape, model.vocabulary
    module = "sentence_transformers.models"
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.intermediate,
            "vocab_size": shape.vocabulary,
            "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.types,
            "layer_norm_eps": float(f"{model.layer_norm_eps:.6g}"),
            "hidden_act": "gelu",
            "pad_token_id": words.pad,
            "dtype": "float32",
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.positions,
            "model_input_names": ["input_ids", "attention_mask"],
            "bos_token": words.pieces[words.bos],
            "cls_token": words.pieces[words.bos],
            "eos_token": words.pieces[words.eos],
            "sep_token": words.pieces[words.eos],
            "pad_token": words.pieces[words.pad],
            "unk_token": words.pieces[words.unk],
            "clean_up_tokenization_spaces": False,
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{module}.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{module}.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{module}.Normalize"},
        ],
        # The file has no pooler: without this a random one is made at each load.
        "sentence_bert_config.json": {
            "max_seq_length": shape.positions,
            "do_lower_case": False,
            "model_args": {"add_pooling_layer": False},
        },
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape.hidden,
            "pooling_mode_mean_tokens": True,
        },
        "2_Normalize/config.json": {},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "passage": "passage: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }
