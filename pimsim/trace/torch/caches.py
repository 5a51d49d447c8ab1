"""Caches that a model of `transformers` would hand out: a trace is of one pass, and nobody would read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def without_caches(module: torch.nn.Module) -> Iterator[None]:
    """Let the models in a module return no caches unless they are asked to, as long as the context lasts."""
    found: dict[int, Any] = {}
    for each in module.modules():
        config = getattr(each, "config", None)
        for one in (config, getattr(config, "text_config", None), getattr(config, "decoder", None)):
            if getattr(one, "use_cache", None) is True:
                found[id(one)] = one
    for config in found.values():
        config.use_cache = False
    try:
        yield
    finally:
        for config in found.values():
            config.use_cache = True
