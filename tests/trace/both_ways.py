"""Small models through torch.export and through PyTorch's ONNX exporter."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx
from pimsim.trace.torch.load import from_torch

from . import tiny_transformers
from .pictures import KerasVgg, UNet, Yolo


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


OTHERS: dict[str, Callable[[], Any]] = {
    "DETR": detr,
    "CLIP": clip,
    "YOLOv8": lambda: (Yolo(), (torch.zeros(1, 3, 64, 64),)),
    "U-Net": lambda: (UNet(), (torch.zeros(1, 3, 16, 16), torch.ones(1, dtype=torch.long))),
    "Keras's VGG": lambda: (KerasVgg(), (torch.zeros(1, 16, 16, 3),)),
}
ALL: dict[str, Callable[[], Any]] = {
    **OTHERS,
    **{name: partial(tiny_transformers.built, name) for name in tiny_transformers.ALL},
}
FED: dict[str, dict[str, Any]] = {  # what torch.onnx does not get through as the model is called by default
    "T5ForConditionalGeneration": {"use_cache": False},  # a cache of a type that it does not know
    "XLNetModel": {
        "attention_mask": None
    },  # its mask is 1.0 - x, which torch decomposes as no op that it has
}


def both(name: str, folder: Path) -> tuple[Trace, Trace]:
    """The traces of a model with random weights by torch.export, and by an ONNX file."""
    torch.manual_seed(0)
    module, inputs = ALL[name]()
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
