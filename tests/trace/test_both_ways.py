"""One model through torch.export and through PyTorch's ONNX exporter: the same ops, so the same time and energy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the exporter reads PyTorch's models")
pytest.importorskip("transformers", reason="models come from the package transformers")
pytest.importorskip("onnxscript", reason="PyTorch exports ONNX files with it")

import pimsim
from pimsim.trace import Trace

from .both_ways import OTHERS, both

pytestmark = pytest.mark.torch


TINY = (
    *("BertModel", "RobertaModel", "AlbertModel", "IBertModel", "GPT2LMHeadModel", "OPTForCausalLM"),
    *("BloomForCausalLM", "LlamaForCausalLM", "GemmaForCausalLM", "MambaForCausalLM"),
    *("WhisperForConditionalGeneration", "BartForConditionalGeneration"),
    *("ViTForImageClassification", "SwinForImageClassification", "ConvNextForImageClassification"),
    *("ResNetForImageClassification", "SegformerForSemanticSegmentation", "Wav2Vec2ForCTC"),
    *("FNetModel", "GPTNeoXForCausalLM", "FalconForCausalLM", "Gemma2ForCausalLM", "ConvBertModel"),
    *("T5ForConditionalGeneration", "XLNetModel", "MixtralForCausalLM"),
)


def work(trace: Trace) -> Counter[tuple[str, int]]:
    """Ops that are no view, with how many elements they put out."""
    views = ("Input", "Reshape", "Squeeze", "Unsqueeze", "Flatten")
    return Counter((op.type, op.output.elements) for op in trace.ops if op.type not in views)


@pytest.mark.parametrize("name", [*OTHERS, *TINY])
def test_the_ops_are_the_same(name: str, tmp_path: Path) -> None:
    direct, file = both(name, tmp_path)
    assert (file.macs, file.weights) == (direct.macs, direct.weights)
    assert work(file) == work(direct)


@pytest.mark.parametrize(
    "name", ["BertModel", "OPTForCausalLM", "BloomForCausalLM", "CLIP", "Keras's VGG", "XLNetModel"]
)
def test_time_and_energy_are_the_same(name: str, tmp_path: Path) -> None:
    """Within 2 %: ops stand in another order, and what is equally good is placed in that order."""
    direct, file = both(name, tmp_path)
    for preset in ("puma", "hermes64", "dadiannao"):
        one, other = (pimsim.simulate(pimsim.Chip.load(preset), trace) for trace in (direct, file))
        assert other.latency_fs == pytest.approx(one.latency_fs, rel=0.02), preset
        assert other.energy_pj["total"] == pytest.approx(one.energy_pj["total"], rel=0.02), preset
