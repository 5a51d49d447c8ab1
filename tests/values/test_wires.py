"""Do wires take from column currents what circuit theory says, exactly and nearly?"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pimsim.errors import ConfigError
from pimsim.values.wires import (
    column_currents_exact,
    column_currents_fast,
    effective_exact_us,
    effective_fast_us,
)

Floats = NDArray[np.float64]
BOTH = pytest.mark.parametrize("effective", [effective_exact_us, effective_fast_us])


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Floats, float]:
    """Arrays of up to 9 x 9, some cells empty, and wire of up to 1 % of the strongest cell's resistance a cell."""
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    cells = random.uniform(1, 100, (rows, columns)) * (random.random((rows, columns)) < 0.8)
    return cells, draw(st.floats(1e-3, 100))


@BOTH
def test_one_cell_is_a_divider(effective) -> None:
    """10 kilo-ohm behind two stretches of 500 ohm: 1 / 11 kilo-ohm."""
    assert effective([[100.0]], 500.0)[0, 0] == pytest.approx(1e6 / 11_000, rel=1e-6)


def test_two_cells_of_a_row_by_hand() -> None:
    """Both cells r = 1 ohm, wire 1 ohm: the far branch is 3 ohm, beside the near one of 2: 1.2, behind 1: 2.2 in all.

    The near branch takes 3/5 of 1/2.2 A, the far one 2/5.
    """
    found = effective_exact_us([[1e6, 1e6]], 1.0)
    np.testing.assert_allclose(found, [[1e6 / 2.2 * 3 / 5, 1e6 / 2.2 * 2 / 5]], rtol=1e-12)


def test_a_dense_solution_of_kirchhoffs_laws_agrees() -> None:
    """Node by node, written out: the currents that leave each of the 2 x 3 x 4 nodes add up to nothing."""
    random = np.random.default_rng(3)
    cells, volts, wire = random.uniform(1, 100, (3, 4)), random.uniform(-0.3, 0.3, 3), 1e6 / 40.0
    law, drive = np.zeros((24, 24)), np.zeros(24)

    def join(one: int, other: int, us: float) -> None:
        law[[one, other], [one, other]] += us
        law[[one, other], [other, one]] -= us

    for i in range(3):
        for j in range(4):
            join(4 * i + j, 12 + 4 * i + j, cells[i, j])
            if j < 3:
                join(4 * i + j, 4 * i + j + 1, wire)
            if i < 2:
                join(12 + 4 * i + j, 16 + 4 * i + j, wire)
        law[4 * i, 4 * i] += wire
        drive[4 * i] = wire * volts[i]
    law[range(20, 24), range(20, 24)] += wire
    expected = wire * np.linalg.solve(law, drive)[20:]
    np.testing.assert_allclose(column_currents_exact(cells, volts, 40.0), expected, rtol=1e-10)


@given(arrays())
def test_a_wire_takes_and_never_gives(case: tuple[Floats, float]) -> None:
    """With all rows at the same voltage no column gives more than without wires, and more resistance leaves less."""
    cells, wire_ohm = case
    ideal, less, more = (effective_exact_us(cells, ohm).sum(0) for ohm in (0, wire_ohm, 2 * wire_ohm))
    assert (less <= ideal * (1 + 1e-9)).all()
    assert (more <= less * (1 + 1e-9)).all()


@given(arrays())
def test_turned_over_it_is_the_same_array(case: tuple[Floats, float]) -> None:
    """Reciprocity: seen from its columns' ends, an array is its transpose, both ways turned round."""
    cells, wire_ohm = case
    turned = np.ascontiguousarray(cells[::-1, ::-1].T)
    np.testing.assert_allclose(
        effective_exact_us(turned, wire_ohm), effective_exact_us(cells, wire_ohm)[::-1, ::-1].T, atol=1e-9
    )


@given(arrays())
def test_the_fast_way_is_within_a_twentieth_of_the_largest_drop(case: tuple[Floats, float]) -> None:
    """Driven all alike, it is as good as exact."""
    cells, wire_ohm = case
    exact, fast = effective_exact_us(cells, wire_ohm), effective_fast_us(cells, wire_ohm)
    assert abs(fast - exact).max() <= 0.05 * abs(cells - exact).max() + 1e-9
    np.testing.assert_allclose(fast.sum(0), exact.sum(0), rtol=1e-5, atol=1e-9)


@BOTH
def test_without_resistance_nothing_is_lost(effective) -> None:
    cells = np.random.default_rng(0).uniform(0, 100, (5, 6))
    assert (effective(cells, 0.0) == cells).all()
    assert effective(cells, 1e-9) == pytest.approx(cells, rel=1e-9)


@BOTH
@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (2, 0, 3), (0, 2, 3)])
def test_an_empty_array_stays_empty(effective, shape: tuple[int, ...]) -> None:
    assert effective(np.zeros(shape), 1.0).shape == shape


@BOTH
def test_an_array_of_empty_cells_gives_nothing(effective) -> None:
    assert not effective(np.zeros((4, 3)), 2.0).any()


@BOTH
def test_several_arrays_are_each_as_alone(effective) -> None:
    cells = np.random.default_rng(0).uniform(1, 100, (2, 3, 5, 4))
    found = effective(cells, 3.0)
    assert (found[1, 2] == effective(cells[1, 2], 3.0)).all()


@pytest.mark.parametrize("currents", [column_currents_exact, column_currents_fast])
def test_inputs_keep_their_shape_and_do_not_know_of_each_other(currents) -> None:
    """More inputs than columns and fewer are solved in two ways; each gives what it gives alone."""
    random = np.random.default_rng(0)
    cells, inputs = random.uniform(1, 100, (5, 4)), random.uniform(-1, 1, (2, 7, 5))
    found = currents(cells, inputs, 10.0)
    assert found.shape == (2, 7, 4)
    np.testing.assert_allclose(found[1, 3], currents(cells, inputs[1, 3], 10.0), rtol=1e-10)
    assert currents(cells, np.zeros((0, 5)), 10.0).shape == (0, 4)


@pytest.mark.parametrize(
    ("cells", "inputs", "ohm", "words"),
    [
        ([[1.0, -2.0]], [1.0], 1.0, r"conductance_us: found -2 uS, expected at least 0"),
        ([[1.0, np.nan]], [1.0], 1.0, r"conductance_us: found a value that is no finite number"),
        ([[1.0, 2.0]], [np.inf], 1.0, r"input_v: found a value that is no finite number"),
        ([[1.0, 2.0]], [1.0, 2.0], 1.0, r"input_v: found the shape \(2,\), expected \(…, 1\)"),
        ([1.0, 2.0], [1.0], 1.0, r"conductance_us: found the shape \(2,\), expected \(…, rows, columns\)"),
        ([[[1.0]]], [1.0], 1.0, r"conductance_us: found the shape \(1, 1, 1\), expected \(rows, columns\)"),
        ([[1.0]], [1.0], -1.0, r"wire_ohm: found -1.0 ohm, expected a number of at least 0"),
        ([[1.0]], [1.0], np.nan, r"wire_ohm: found nan ohm"),
    ],
)
def test_refuses(cells, inputs, ohm: float, words: str) -> None:
    for currents in (column_currents_exact, column_currents_fast):
        with pytest.raises(ConfigError, match=words):
            currents(cells, inputs, ohm)


def test_without_scipy_the_fast_way_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("scipy", "scipy.sparse", "scipy.sparse.linalg"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        ConfigError, match=r"needs scipy, which is not installed; pip install 'pimsim\[values\]'"
    ):
        column_currents_exact([[1.0]], [1.0], 1.0)
    assert column_currents_fast([[1.0]], [1.0], 1.0)[0] == pytest.approx(1.0, rel=1e-5)
