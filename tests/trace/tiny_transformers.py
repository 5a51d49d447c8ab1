"""Architectures of `transformers`, each as small as it goes: what it is called, how it is cut down, what it is fed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Sizes = dict[str, Any]
Inputs = Callable[[], dict[str, Any]]


def ids(count: int = 16) -> dict[str, Any]:
    import torch

    return {"input_ids": torch.zeros(1, count, dtype=torch.long)}


def text() -> dict[str, Any]:
    import torch

    return {**ids(), "attention_mask": torch.ones(1, 16, dtype=torch.long)}


def pair() -> dict[str, Any]:
    return {**text(), "decoder_input_ids": ids(8)["input_ids"]}


def image() -> dict[str, Any]:
    import torch

    return {"pixel_values": torch.zeros(1, 3, 64, 64)}


def both() -> dict[str, Any]:
    return {**text(), **image()}


def sound() -> dict[str, Any]:
    import torch

    return {"input_values": torch.zeros(1, 2000)}


def spectrum() -> dict[str, Any]:
    import torch

    return {"input_features": torch.zeros(1, 80, 64), "decoder_input_ids": ids(8)["input_ids"]}


_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_TEXT = {**_SMALL, "vocab_size": 100, "pad_token_id": 0}
_SHARED = {**_TEXT, "num_key_value_heads": 2}
_HEADS = {**_SHARED, "head_dim": 8}
_GPT = {"vocab_size": 100, "n_embd": 32, "n_layer": 2, "n_head": 4}
_PAIR = {
    **{"vocab_size": 100, "d_model": 32, "pad_token_id": 1, "decoder_start_token_id": 1},
    **{"encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 64},
    **{"decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 64},
}
_IMAGE = {**_SMALL, "image_size": 64, "patch_size": 16}
_STAGES = {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 1, 1]}
_WINDOWS = {"image_size": 64, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
_SOUND = {
    **{**_SMALL, "vocab_size": 50, "conv_dim": [16] * 3, "conv_kernel": [10, 3, 2], "conv_stride": [5, 2, 2]},
    **{"num_feat_extract_layers": 3, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4},
}

TEXTS: dict[str, tuple[Sizes, Inputs]] = {
    **dict.fromkeys(
        ("BertModel", "RobertaModel", "XLMRobertaModel", "MPNetModel", "LayoutLMModel"), (_TEXT, text)
    ),
    **dict.fromkeys(
        ("CamembertModel", "ErnieModel", "DebertaV2Model", "BigBirdModel", "IBertModel"), (_TEXT, text)
    ),
    **dict.fromkeys(("AlbertModel", "ElectraModel"), ({**_TEXT, "embedding_size": 16}, text)),
    **dict.fromkeys(
        ("ConvBertModel", "RoFormerModel", "SqueezeBertModel"), ({**_TEXT, "embedding_size": 32}, text)
    ),
    "DistilBertModel": ({"vocab_size": 100, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}, text),
    "ModernBertModel": ({**_TEXT, "global_attn_every_n_layers": 2}, text),
    "DebertaModel": ({**_TEXT, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, text),
    "FNetModel": (
        {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64},
        ids,
    ),
    "XLNetModel": ({"vocab_size": 100, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64}, text),
}
DECODERS: dict[str, tuple[Sizes, Inputs]] = {
    "GPT2LMHeadModel": (_GPT, text),
    **dict.fromkeys(("GPTJForCausalLM", "CodeGenForCausalLM"), ({**_GPT, "rotary_dim": 4}, text)),
    "GPTNeoXForCausalLM": (_TEXT, text),
    "OPTForCausalLM": ({**_TEXT, "ffn_dim": 64, "word_embed_proj_dim": 32}, text),
    "BloomForCausalLM": ({"vocab_size": 100, "hidden_size": 32, "n_layer": 2, "n_head": 4}, text),
    "FalconForCausalLM": (_TEXT, text),
    "MptForCausalLM": ({"vocab_size": 100, "d_model": 32, "n_layers": 2, "n_heads": 4}, text),
    **dict.fromkeys(
        ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "PhiForCausalLM"), (_SHARED, text)
    ),
    **dict.fromkeys(("Phi3ForCausalLM", "StableLmForCausalLM", "OlmoForCausalLM"), (_SHARED, text)),
    **dict.fromkeys(
        ("GemmaForCausalLM", "Gemma2ForCausalLM", "Qwen3ForCausalLM", "GlmForCausalLM"), (_HEADS, text)
    ),
    "MixtralForCausalLM": ({**_SHARED, "num_local_experts": 4}, text),
    "MambaForCausalLM": (
        {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
        ids,
    ),
}
PAIRS: dict[str, tuple[Sizes, Inputs]] = {
    "T5ForConditionalGeneration": (
        {"vocab_size": 100, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4},
        pair,
    ),
    **dict.fromkeys(("BartForConditionalGeneration", "PegasusForConditionalGeneration"), (_PAIR, pair)),
    **dict.fromkeys(("MarianMTModel", "MBartForConditionalGeneration"), (_PAIR, pair)),
    "WhisperForConditionalGeneration": ({**_PAIR, "max_source_positions": 32}, spectrum),
}
IMAGES: dict[str, tuple[Sizes, Inputs]] = {
    **dict.fromkeys(
        ("ViTForImageClassification", "DeiTForImageClassification", "ViTMAEModel"), (_IMAGE, image)
    ),
    "BeitForImageClassification": ({**_IMAGE, "use_relative_position_bias": True}, image),
    "Dinov2Model": (_IMAGE, image),
    **dict.fromkeys(("SwinForImageClassification", "Swinv2ForImageClassification"), (_WINDOWS, image)),
    **dict.fromkeys(("ConvNextForImageClassification", "ConvNextV2ForImageClassification"), (_STAGES, image)),
    "ResNetForImageClassification": ({**_STAGES, "embedding_size": 8}, image),
    "MobileNetV2ForImageClassification": ({}, image),
    "SegformerForSemanticSegmentation": (
        {**_STAGES, "num_attention_heads": [1, 2, 4, 8], "decoder_hidden_size": 32},
        image,
    ),
    "PoolFormerForImageClassification": (_STAGES, image),
    "YolosForObjectDetection": ({**_SMALL, "image_size": [64, 64], "num_detection_tokens": 5}, image),
}
SOUNDS: dict[str, tuple[Sizes, Inputs]] = {
    **dict.fromkeys(("Wav2Vec2ForCTC", "HubertForCTC", "WavLMForCTC"), (_SOUND, sound)),
}
ALL = {**TEXTS, **DECODERS, **PAIRS, **IMAGES, **SOUNDS}


def built(name: str) -> tuple[Any, dict[str, Any]]:
    """Return a model with random weights, and inputs of its forward."""
    import torch
    import transformers

    sizes, inputs = ALL[name]
    kind = getattr(transformers, name)
    torch.manual_seed(0)
    return kind(kind.config_class(**sizes)).eval(), inputs()
