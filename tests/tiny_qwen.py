"""A language model of a few thousand weights, of the kind that adapters are trained on, and its
tokenizer.
"""

import pytest

torch = pytest.importorskip("torch")


def encode(text):
    """Return the UTF-8 bytes: a tokenizer of 256 tokens."""
    return list(text.encode())


def tiny(layers=2):
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=256,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = Qwen2ForCausalLM(config).eval()
    model.lm_head.weight.data *= 20  # else no token can be likely
    return model
