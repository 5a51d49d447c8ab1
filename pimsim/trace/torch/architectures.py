"""Well-known models, built from their configurations alone: no weights are downloaded, none are allocated.

A new one is a function here that returns its `Architecture`, and a line of `ARCHITECTURES`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.found import closest
from pimsim.trace.schema import Trace

_BATCH = {0: "batch"}
_TOKENS = {0: "batch", 1: "seq"}
_CACHE = {0: "batch", 2: "kv"}


@dataclass(frozen=True)
class Architecture:
    """A model on the meta device and how to export it; the fields are as of `from_torch`."""

    module: Any
    inputs: tuple[Any, ...]
    dynamic: Mapping[str, Mapping[int, str]]
    caches: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    routing: Mapping[str, Any] = field(default_factory=dict)


def export(name: str, command: str = "", model: str | None = None) -> Trace:
    """Export an architecture by its name, with its symbols unbound.

    Raises
    ------
    TraceError
        If there is no such architecture, or torch or transformers is not installed.
    """
    if name not in ARCHITECTURES:
        raise TraceError(f"no architecture is called '{name}'", mend=closest(name, sorted(ARCHITECTURES)))
    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            message = f"building '{name}' needs the package '{package}'"
            raise TraceError(message, mend="pip install 'pimsim[torch]'")
    import torch
    import transformers

    from pimsim.trace.torch.load import from_torch

    with torch.device("meta"):
        built = ARCHITECTURES[name]()
    return from_torch(
        built.module,
        built.inputs,
        dynamic=built.dynamic,
        caches=built.caches,
        routing=built.routing,
        notes=built.notes,
        model=model or name,
        source={"architecture": name, "transformers": transformers.__version__},
        command=command,
    )


# -- images --------------------------------------------------------------------------------------------------


def _image(config: Any, model: str) -> Architecture:
    import torch
    import transformers

    module = _only_logits(getattr(transformers, model)(config))
    return Architecture(module, (torch.zeros(1, 3, 224, 224),), {"inputs": _BATCH})


def _resnet(**sizes: Any) -> Architecture:
    import transformers

    return _image(transformers.ResNetConfig(num_labels=1000, **sizes), "ResNetForImageClassification")


def _resnet18() -> Architecture:
    return _resnet(layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512])


def _resnet50() -> Architecture:
    return _resnet()


def _mobilenet_v2() -> Architecture:
    import transformers

    config = transformers.MobileNetV2Config(num_labels=1000)
    return _image(config, "MobileNetV2ForImageClassification")


def _vit_b16() -> Architecture:
    import transformers

    config = transformers.ViTConfig(num_labels=1000, attn_implementation="eager")
    return _image(config, "ViTForImageClassification")


# -- text ----------------------------------------------------------------------------------------------------


def _bert_base() -> Architecture:
    import torch
    import transformers

    config = transformers.BertConfig(attn_implementation="eager")
    model = transformers.BertModel(config, add_pooling_layer=False)
    ids = torch.zeros(1, 128, dtype=torch.long)
    return Architecture(_only(model, "last_hidden_state"), (ids,), {"inputs": _TOKENS})


def _causal(model: Any, layers: int, heads: int, size: int, **more: Any) -> Architecture:
    """A model that continues a text: one export for the prompt (kv = 0) and for each token after it (seq = 1)."""
    import torch

    ids = torch.zeros(1, 8, dtype=torch.long)
    past = [tuple(torch.zeros(1, heads, 8, size) for _ in range(2)) for _ in range(layers)]
    dynamic = {"ids": _TOKENS, "past": _CACHE}
    return Architecture(_with_cache(model), (ids, past), dynamic, ("past",), **more)


def _gpt2() -> Architecture:
    import transformers

    config = transformers.GPT2Config(attn_implementation="eager")
    return _causal(transformers.GPT2LMHeadModel(config), 12, 12, 64)


def _llama_7b() -> Architecture:
    import transformers

    config = transformers.LlamaConfig(attn_implementation="eager")  # its defaults are Llama-7B
    return _causal(transformers.LlamaForCausalLM(config), 32, 32, 128)


def _mixtral_8x7b() -> Architecture:
    import transformers

    config = transformers.MixtralConfig(attn_implementation="eager")  # its defaults are Mixtral-8x7B
    note = "nobody knows where the router would send a token: experts are drawn, uniformly, when the trace is bound"
    return _causal(transformers.MixtralForCausalLM(config), 32, 8, 128, notes=(note,))


def _whisper_tiny() -> Architecture:
    import torch
    import transformers

    config = transformers.WhisperConfig(
        vocab_size=51865,
        d_model=384,
        encoder_layers=4,
        decoder_layers=4,
        encoder_attention_heads=6,
        decoder_attention_heads=6,
        encoder_ffn_dim=1536,
        decoder_ffn_dim=1536,
        attn_implementation="eager",
    )
    module = _speech(transformers.WhisperForConditionalGeneration(config))
    inputs = (torch.zeros(1, 80, 3000), torch.zeros(1, 8, dtype=torch.long))
    note = "the encoder, and the decoder over seq tokens at once: 30 s of speech, no cache"
    return Architecture(module, inputs, {"sound": _BATCH, "ids": _TOKENS}, notes=(note,))


ARCHITECTURES: dict[str, Callable[[], Architecture]] = {
    "bert_base": _bert_base,
    "gpt2": _gpt2,
    "llama_7b": _llama_7b,
    "mixtral_8x7b": _mixtral_8x7b,
    "mobilenet_v2": _mobilenet_v2,
    "resnet18": _resnet18,
    "resnet50": _resnet50,
    "vit_b16": _vit_b16,
    "whisper_tiny": _whisper_tiny,
}


# -- what is exported of them: tensors in, one tensor out ----------------------------------------------------


def _only(model: Any, output: str) -> Any:
    import torch

    class Only(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, inputs: Any) -> Any:
            return getattr(self.model(inputs), output)

    return Only()


def _only_logits(model: Any) -> Any:
    return _only(model, "logits")


def _with_cache(model: Any) -> Any:
    import torch
    import transformers

    class WithCache(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, past: Any) -> Any:
            cache = transformers.DynamicCache(past)
            return self.model(input_ids=ids, past_key_values=cache, use_cache=True).logits

    return WithCache()


def _speech(model: Any) -> Any:
    import torch

    class Speech(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, sound: Any, ids: Any) -> Any:
            return self.model(input_features=sound, decoder_input_ids=ids, use_cache=False).logits

    return Speech()
