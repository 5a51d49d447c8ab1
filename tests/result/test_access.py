"""Figures of a result by their keys and as attributes: what is there, and what is said of what is not."""

from __future__ import annotations

import pytest

from pimsim.result.result import Result


def test_a_figure_is_found_by_its_key_and_as_an_attribute() -> None:
    result = Result({"latency_fs": 7})
    assert "latency_fs" in result
    assert "latency" not in result
    assert result["latency_fs"] == result.latency_fs == 7
    with pytest.raises(AttributeError, match="no 'latency'; it has: latency_fs"):
        _ = result.latency
