"""``pimsim trace export`` of PyTorch models and architectures: what is written, and one message for what is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pimsim.presets import folder
from pimsim.trace import Trace

from .test_cli_trace import pimsim

pytest.importorskip("torch", reason="exporting needs the package torch")
pytestmark = pytest.mark.torch

MODELS = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        return self.fc(x).relu()

class Wanders(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x

class Odd(nn.Module):
    def forward(self, x):
        return torch.erfinv(x).lgamma() + torch.erfinv(x)

X = torch.zeros(2, 8)

def good():
    print("chatter")
    return Block(), (torch.zeros(2, 8),)

def open_():
    return Block(), {"x": torch.zeros(2, 8)}, {"dynamic": {"x": {0: "batch"}}}

def huge():
    return nn.Linear(10**6, 10**6), torch.zeros(1, 10**6)

def loads():
    layer = nn.Linear(8, 4)
    layer.scale = layer.weight.sum().item()
    return layer, (torch.zeros(2, 8),)

def raises():
    raise ValueError("no such checkpoint\\nsecond line")

def leaves():
    raise SystemExit(3)

def nothing():
    pass

def one():
    return (Block(),)

def no_model():
    return Block, X

def no_inputs():
    return Block(), 3

def option():
    return Block(), X, {"dynamc": {}}

def wanders():
    return Wanders(), X

def odd():
    return Odd(), X

def shape():
    return Block(), torch.zeros(2, 9)
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text(MODELS)
    (package / "broken.py").write_text("import torch\nimport nowhere_to_be_found\n")
    return tmp_path


def export(here: Path, source: str, *args: str) -> subprocess.CompletedProcess[str]:
    return pimsim("export", source, "-o", "t.jsonl", *args, cwd=here)


def test_a_factory_s_model(here: Path) -> None:
    done = export(here, "torch:mine.models:good")
    assert (done.returncode, done.stderr) == (0, "chatter\n")  # a factory's own output is not the command's
    assert done.stdout == "t.jsonl: 3 ops, 64 MACs, 32 weights\n"
    trace = Trace.load(here / "t.jsonl")
    assert trace.model == "t"
    assert trace.header["source"]["factory"] == "mine.models:good"
    assert trace.header["command"] == "pimsim trace export torch:mine.models:good -o t.jsonl"


def test_symbols_stay_unless_they_are_bound(here: Path) -> None:
    done = export(here, "torch:mine.models:open_")
    assert done.stdout == "t.jsonl: 3 ops, 32 weights, symbols batch\n"
    assert Trace.load(here / "t.jsonl").symbols == ("batch",)
    done = export(here, "torch:mine.models:open_", "--bind", "batch=5")
    assert done.stdout == "t.jsonl: 3 ops, 160 MACs, 32 weights\n"
    assert Trace.load(here / "t.jsonl").header["symbols"] == {"batch": 5}


def test_weights_are_not_allocated(here: Path) -> None:
    """These would take 4 TB."""
    assert "1,000,000,000,000 weights" in export(here, "torch:mine.models:huge").stdout


def test_a_factory_that_needs_its_weights_has_them(here: Path) -> None:
    assert export(here, "torch:mine.models:loads").returncode == 0


def test_unknown_ops_become_data_movement_where_that_is_allowed(here: Path) -> None:
    done = export(here, "torch:mine.models:odd", "--allow-unknown")
    assert done.returncode == 0
    assert "their computation not modelled: erfinv (2), lgamma (1)" in done.stderr


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("torch:mine.models", "expected a module and a function in it; say torch:package.module:factory"),
        ("torch:mine/models.py:good", "say torch:package.module:factory"),
        ("torch:mine.modles:good", "there is no module 'mine.modles'"),
        (
            "torch:mine.broken:good",
            "importing 'mine.broken' failed: ModuleNotFoundError: No module named 'nowhere",
        ),
        ("torch:mine.models:god", "the module 'mine.models' has no 'god'; did you mean 'good'?"),
        ("torch:mine.models:X", "'X' is a Tensor, expected a function"),
        ("torch:mine.models:raises", "the factory raised ValueError: no such checkpoint ("),
        ("torch:mine.models:leaves", "the factory raised SystemExit: 3"),
        ("torch:mine.models:nothing", "the factory returned a NoneType, expected a pair"),
        ("torch:mine.models:one", "the factory returned a tuple of 1, expected a pair"),
        ("torch:mine.models:no_model", "the factory returned a type for the model"),
        ("torch:mine.models:no_inputs", "the factory returned inputs of type int"),
        ("torch:mine.models:option", "unknown option 'dynamc' (text); did you mean 'dynamic'?"),
        ("torch:mine.models:wanders", "models.py:15: the model's control flow"),
        ("torch:mine.models:odd", "does not know: erfinv (2), lgamma (1); --allow-unknown"),
        ("torch:mine.models:shape", "models.py:11: torch.export failed: RuntimeError"),
        ("gtp2", "no file and no architecture is called 'gtp2'; did you mean 'gpt2'?"),
    ],
)
def test_one_message_and_nothing_written(here: Path, source: str, message: str) -> None:
    done = export(here, source)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (here / "t.jsonl").exists()


def test_verbose_shows_the_traceback_of_the_factory(here: Path) -> None:
    done = export(here, "torch:mine.models:raises", "--verbose")
    assert done.returncode == 2
    assert 'raise ValueError("no such checkpoint' in done.stderr
    assert done.stderr.splitlines()[0].count("the factory raised ValueError: no such checkpoint") == 1
    assert done.stderr.count("Traceback") == 1


@pytest.mark.parametrize(
    ("binds", "message"),
    [
        (["batch=0"], "found batch=0"),
        (["btch=1"], "did you mean 'batch'?"),
        (["batch"], "found 'batch', expected NAME=N"),
    ],
)
def test_symbols_bound_to_nonsense(here: Path, binds: list[str], message: str) -> None:
    done = export(here, "torch:mine.models:open_", *(word for bind in binds for word in ("--bind", bind)))
    assert done.returncode == 2
    assert message in done.stderr
    assert not (here / "t.jsonl").exists()


def test_an_architecture_is_exported_by_its_name(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="architectures come from the package transformers")
    done = pimsim("export", "resnet18", "-o", tmp_path / "resnet18.jsonl")
    assert done.returncode == 0
    assert done.stdout.endswith("resnet18.jsonl: 50 ops, 11,678,912 weights, symbols batch\n")
    shipped = (folder("traces") / "resnet18.jsonl").read_text()
    assert (tmp_path / "resnet18.jsonl").read_text().splitlines()[1:] == shipped.splitlines()[1:]
    done = pimsim("export", "resnet18", "--bind", "batch=2", "-o", tmp_path / "two.jsonl")
    assert "50 ops, 3,628,146,688 MACs" in done.stdout


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_a_missing_package_is_named(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from click.testing import CliRunner

    from pimsim.cli.trace import command
    from pimsim.errors import TraceError

    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == missing else found(name, *rest)
    )
    sources = ["gpt2", "torch:mine.models:good"] if missing == "torch" else ["gpt2"]
    for source in sources:
        done = CliRunner().invoke(command, ["export", source, "-o", str(tmp_path / "t.jsonl")])
        assert isinstance(done.exception, TraceError)
        assert f"needs the package '{missing}'; pip install 'pimsim[torch]'" in str(done.exception)
