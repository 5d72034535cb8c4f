"""Cross-encoder folders of one layer and random weights, which sentence-transformers loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "le", "maire", "parle", "personne", "se", "tait", ".")
LABELS = ("contradiction", "entailment", "neutral")


def tiny_cross_encoder(folder: Path, labels: Sequence[str] = LABELS, seed: int = 0) -> Path:
    """Save a BERT classifier over ten words and its tokenizer; return the folder.

    :param labels: of the outputs, in their order; one makes a reranker.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=1.0,  # so that random weights tell pairs apart
        id2label=dict(enumerate(labels)),
        label2id={label: at for at, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, "[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
    PreTrainedTokenizerFast(
        tokenizer_object=words,
        model_max_length=64,
        **{f"{name}_token": word for name, word in names.items()},
    ).save_pretrained(folder)
    return folder
