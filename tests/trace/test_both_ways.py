"""One model through torch.export and through PyTorch's ONNX exporter: the same ops, so the same time and energy."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the exporter reads PyTorch's models")
pytest.importorskip("transformers", reason="models come from the package transformers")
pytest.importorskip("onnxscript", reason="PyTorch exports ONNX files with it")

import pimsim  # noqa: E402
from pimsim.trace import Trace  # noqa: E402
from pimsim.trace.onnx.export import from_onnx  # noqa: E402
from pimsim.trace.torch.load import from_torch  # noqa: E402

from . import tiny_transformers  # noqa: E402
from .pictures import KerasVgg, UNet, Yolo  # noqa: E402

pytestmark = pytest.mark.torch


def detr() -> Any:
    import transformers

    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 32], depths=[1, 1], out_features=["stage2"]
    )
    layers = {f"{side}_{what}": size for side in ("encoder", "decoder") for what, size in (("layers", 1),)}
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    sizes = {**layers, **heads, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "d_model": 32, "num_queries": 6}
    config = transformers.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        **sizes,
    )
    return transformers.DetrForObjectDetection(config), {"pixel_values": torch.zeros(1, 3, 64, 64)}


def clip() -> Any:
    import transformers

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.CLIPVisionConfig(image_size=64, patch_size=16, **sizes)
    return transformers.CLIPVisionModel(config), (torch.zeros(1, 3, 64, 64),)


MODELS: dict[str, Callable[[], Any]] = {
    "DETR": detr,
    "CLIP": clip,
    "YOLOv8": lambda: (Yolo(), (torch.zeros(1, 3, 64, 64),)),
    "U-Net": lambda: (UNet(), (torch.zeros(1, 3, 16, 16), torch.ones(1, dtype=torch.long))),
    "Keras's VGG": lambda: (KerasVgg(), (torch.zeros(1, 16, 16, 3),)),
}
TINY = (
    *("BertModel", "RobertaModel", "AlbertModel", "IBertModel", "GPT2LMHeadModel", "OPTForCausalLM"),
    *("BloomForCausalLM", "LlamaForCausalLM", "GemmaForCausalLM", "MambaForCausalLM"),
    *("WhisperForConditionalGeneration", "BartForConditionalGeneration"),
    *("ViTForImageClassification", "SwinForImageClassification", "ConvNextForImageClassification"),
    *("ResNetForImageClassification", "SegformerForSemanticSegmentation", "Wav2Vec2ForCTC"),
    *("FNetModel", "GPTNeoXForCausalLM", "FalconForCausalLM", "Gemma2ForCausalLM", "ConvBertModel"),
    *("T5ForConditionalGeneration", "XLNetModel", "MixtralForCausalLM"),
)
FED: dict[str, dict[str, Any]] = {  # what torch.onnx does not get through as the model is called by default
    "T5ForConditionalGeneration": {"use_cache": False},  # a cache of a type that it does not know
    "XLNetModel": {
        "attention_mask": None
    },  # its mask is 1.0 - x, which torch decomposes as no op that it has
}


def both(name: str, folder: Path) -> tuple[Trace, Trace]:
    """The traces of a model with random weights by torch.export, and by an ONNX file."""
    torch.manual_seed(0)
    module, inputs = MODELS[name]() if name in MODELS else tiny_transformers.built(name)
    inputs = {**inputs, **FED[name]} if name in FED else inputs
    module.eval()
    config = getattr(module, "config", None)
    if getattr(config, "use_cache", False):
        config.use_cache = False
    direct = from_torch(module, inputs, model="m")
    if hasattr(config, "num_local_experts"):  # as it comes, an op of its own, which torch.onnx does not know
        module.set_experts_implementation("batched_mm")
    args, kwargs = ((), inputs) if isinstance(inputs, dict) else (inputs, {})
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, args, folder / "m.onnx", kwargs=kwargs, dynamo=True, verbose=False)
    logging.disable(logging.NOTSET)
    return direct.bind(), from_onnx(folder / "m.onnx", model="m").bind()  # which draws the tokens of experts


def work(trace: Trace) -> Counter[tuple[str, int]]:
    """Ops that are no view, with how many elements they put out."""
    views = ("Input", "Reshape", "Squeeze", "Unsqueeze", "Flatten")
    return Counter((op.type, op.output.elements) for op in trace.ops if op.type not in views)


@pytest.mark.parametrize("name", [*MODELS, *TINY])
def test_the_ops_are_the_same(name: str, tmp_path: Path) -> None:
    direct, file = both(name, tmp_path)
    assert (file.macs, file.weights) == (direct.macs, direct.weights)
    assert work(file) == work(direct)


@pytest.mark.parametrize("name", ["BertModel", "OPTForCausalLM", "BloomForCausalLM", "CLIP", "Keras's VGG"])
def test_time_and_energy_are_the_same(name: str, tmp_path: Path) -> None:
    """Within 2 %: ops stand in another order, and what is equally good is placed in that order."""
    direct, file = both(name, tmp_path)
    for preset in ("puma", "hermes64", "dadiannao"):
        one, other = (pimsim.simulate(pimsim.Chip.load(preset), trace) for trace in (direct, file))
        assert other.latency_fs == pytest.approx(one.latency_fs, rel=0.02), preset
        assert other.energy_pj["total"] == pytest.approx(one.energy_pj["total"], rel=0.02), preset
