"""IR drop: what the wires of an array leave of its column currents, exactly and fast.

Rows are driven from their first column's side, columns are held at virtual ground below their last row; a stretch of
wire lies before the first cell of a row, between neighbours, and after the last cell of a column, all of the same
resistance. Cells are linear resistors. This is the circuit of CrossSim's arrays whose inputs carry the current, and of
badcrossbar.

The circuit is linear, so an array with wires is another matrix of conductances: the current that a column gives for a
volt at a row. Found once, it serves all inputs, slices of inputs and batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pimsim.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csc_matrix

Floats = NDArray[np.float64]
US_PER_S = 1e6
TOLERANCE, MOST_STEPS = 1e-9, 1000  # of conjugate gradients: what is left of the first residual
NEGLIGIBLE = 1e-7  # of an array's current: less than that is rounding


def column_currents_exact(conductance_us: ArrayLike, input_v: ArrayLike, wire_ohm: float) -> Floats:
    """Return the currents of an array's columns by Kirchhoff's laws at every cell, in microamperes.

    The matrix is factored once for all inputs.

    Parameters
    ----------
    conductance_us : array_like, shape (rows, columns)
        Conductances of the cells in microsiemens.
    input_v : array_like, shape (…, rows)
        Voltages at the rows in volts.
    wire_ohm : float
        Resistance of the wire from one cell to the next, along rows and along columns, in ohm.

    Returns
    -------
    ndarray, shape (…, columns)
        Currents in microamperes.

    Raises
    ------
    ConfigError
        If shapes do not fit, a value is no finite number, a resistance or conductance is negative, or scipy is missing.
    """
    cells, inputs = _checked(conductance_us, wire_ohm), _inputs(input_v)
    _fits(cells, inputs)
    if wire_ohm == 0 or cells.size == 0 or inputs.size == 0:
        return np.asarray(inputs @ cells)
    rows, columns = cells.shape
    flat = inputs.reshape(-1, rows)
    if len(flat) > columns:
        return np.asarray(inputs @ effective_exact_us(cells, wire_ohm))
    solve, wire_us = _factored(cells, wire_ohm), US_PER_S / wire_ohm
    drive = np.zeros((rows, columns))
    found = np.empty((len(flat), columns))
    for each, volts in enumerate(flat):
        drive[:, 0] = wire_us * volts
        nodes = solve(np.concatenate([drive.ravel(), np.zeros(cells.size)]))
        found[each] = wire_us * nodes[-columns:]  # of the columns' last nodes, a stretch above ground
    return found.reshape(*inputs.shape[:-1], columns)


def column_currents_fast(conductance_us: ArrayLike, input_v: ArrayLike, wire_ohm: float) -> Floats:
    """Return the same as `column_currents_exact`, approximately: see `effective_fast_us`."""
    cells, inputs = _checked(conductance_us, wire_ohm), _inputs(input_v)
    _fits(cells, inputs)
    return np.asarray(inputs @ effective_fast_us(cells, wire_ohm))


def effective_exact_us(conductance_us: ArrayLike, wire_ohm: float) -> Floats:
    """Return the conductances that an array with wires seems to have, exactly, in microsiemens.

    A column's current for a volt at a row is the row's current for a volt at the column, so one solution a column has
    them all.

    Parameters
    ----------
    conductance_us : array_like, shape (…, rows, columns)
        Conductances of the cells in microsiemens, of one array or several.
    wire_ohm : float
        Resistance of the wire from one cell to the next, in ohm.

    Returns
    -------
    ndarray, shape (…, rows, columns)
        Microamperes that leave by a column for each volt at a row, the other rows at 0 V.

    Raises
    ------
    ConfigError
        As for `column_currents_exact`.
    """
    cells = _checked(conductance_us, wire_ohm)
    if wire_ohm == 0 or cells.size == 0:
        return cells.copy()
    if cells.ndim > 2:
        return np.stack([effective_exact_us(each, wire_ohm) for each in cells])
    columns, wire_us = cells.shape[1], US_PER_S / wire_ohm
    solve, found = _factored(cells, wire_ohm), np.empty_like(cells)
    for column in range(columns):
        drive = np.zeros(2 * cells.size)
        drive[column - columns] = wire_us
        found[:, column] = wire_us * solve(drive)[: cells.size : columns]  # of the rows' first nodes
    return found


def effective_fast_us(conductance_us: ArrayLike, wire_ohm: float) -> Floats:
    """Return the same as `effective_exact_us`, approximately, in time that grows with the cells alone.

    Were the columns without resistance, each row would be a ladder of its own, and a cell at the end of so much wire
    see a share of the row's volt that follows from one pass along it; likewise each column, were the rows without. A
    cell's conductance is taken times both shares. What is missing then is current that goes back through other rows
    into other columns. It is spread smoothly, so it is added as a product of what each row and each column lacks, as
    one solution with all rows at a volt tells. ``docs/devices.md`` has the error, measured. Arguments and result as
    of `effective_exact_us`.
    """
    cells = _checked(conductance_us, wire_ohm)
    if wire_ohm == 0 or cells.size == 0:
        return cells.copy()
    if cells.ndim > 2:
        return np.stack([effective_fast_us(each, wire_ohm) for each in cells])
    of_rows = _shares(cells, wire_ohm)
    of_columns = _shares(cells.T[:, ::-1], wire_ohm)[:, ::-1].T
    found = cells * of_rows * of_columns
    currents = _all_driven(cells, wire_ohm)
    of_row, of_column = (currents.sum(axis) - found.sum(axis) for axis in (1, 0))
    lacking = of_row.sum()
    if lacking > NEGLIGIBLE * currents.sum():
        found += np.outer(of_row, of_column / lacking)
    return np.asarray(found)


def _shares(cells: Floats, wire_ohm: float) -> Floats:
    """Return of a row's voltage what is left at each cell, the far ends of all cells at ground.

    Parameters
    ----------
    cells : ndarray, shape (…, rows, columns)
        Conductances in microsiemens; a row is driven before its first one.
    wire_ohm : float
        Resistance of each stretch of wire, in ohm.
    """
    wire = wire_ohm / US_PER_S  # per microsiemens
    onward = np.empty_like(cells)  # conductance to ground of a cell and of all that lies beyond it
    onward[..., -1] = cells[..., -1]
    for at in range(cells.shape[-1] - 2, -1, -1):
        beyond = onward[..., at + 1]
        onward[..., at] = cells[..., at] + beyond / (1 + wire * beyond)
    return np.asarray(np.cumprod(1 / (1 + wire * onward), axis=-1), dtype=np.float64)


def _all_driven(cells: Floats, wire_ohm: float) -> Floats:
    """Return the currents of all cells in microamperes, every row at 1 V, by conjugate gradients.

    A cell sees the volt less what the currents of its row and of its column lose on their way: i / G + R i = 1, R being
    two sums along each wire. With i = sqrt(G) y that is symmetric, and a few steps do.
    """
    wire, root = wire_ohm / US_PER_S, np.sqrt(cells)

    def applied(y: Floats) -> Floats:
        currents = root * y
        along_rows = np.cumsum(np.cumsum(currents[:, ::-1], 1)[:, ::-1], 1)
        along_columns = np.cumsum(np.cumsum(currents, 0)[::-1], 0)[::-1]
        return np.asarray(y + root * wire * (along_rows + along_columns))

    found, rest = np.zeros_like(cells), root.copy()
    step, left = rest.copy(), float((rest * rest).sum())
    enough = left * TOLERANCE**2
    for _ in range(MOST_STEPS):
        if left <= enough:
            break
        moved = applied(step)
        length = left / float((step * moved).sum())
        found += length * step
        rest -= length * moved
        before, left = left, float((rest * rest).sum())
        step = rest + left / before * step
    return root * found


def _factored(cells: Floats, wire_ohm: float) -> Callable[[Floats], Floats]:
    """Return what solves an array's circuit for the currents that enter its nodes: voltages, rows' nodes first."""
    try:
        from scipy.sparse.linalg import splu
    except ModuleNotFoundError:
        raise ConfigError(
            "IR drop exactly needs scipy, which is not installed", mend="pip install 'pimsim[values]'"
        ) from None
    # Symmetric and positive definite: no pivots are needed, and the order follows the grid.
    options = {"SymmetricMode": True}
    factors = splu(
        _nodal(cells, wire_ohm), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options
    )
    solve: Callable[[Floats], Floats] = factors.solve
    return solve


def _nodal(cells: Floats, wire_ohm: float) -> csc_matrix[Any]:
    """Return the conductances between all nodes: a row's and a column's at each cell, in microsiemens."""
    from scipy.sparse import coo_matrix

    count, wire_us = cells.size, US_PER_S / wire_ohm
    of_row = np.arange(count).reshape(cells.shape)
    of_column = of_row + count
    ends = (  # stretches along rows, along columns, and the cells
        (of_row[:, :-1], of_row[:, 1:], None),
        (of_column[:-1], of_column[1:], None),
        (of_row, of_column, cells),
    )
    one = np.concatenate([each.ravel() for each, _, _ in ends])
    other = np.concatenate([each.ravel() for _, each, _ in ends])
    values = np.concatenate(
        [np.full(near.size, wire_us) if own is None else own.ravel() for near, _, own in ends]
    )
    total: Floats = np.zeros(2 * count)
    np.add.at(total, one, values)
    np.add.at(total, other, values)
    total[of_row[:, 0]] += wire_us  # to the driver
    total[of_column[-1]] += wire_us  # to ground
    diagonal = np.arange(2 * count)
    data = np.concatenate([-values, -values, total])
    places = np.concatenate([one, other, diagonal]), np.concatenate([other, one, diagonal])
    return coo_matrix((data, places), shape=(2 * count, 2 * count)).tocsc()


def _checked(conductance_us: ArrayLike, wire_ohm: float) -> Floats:
    """Return an array's cells as numbers, or refuse them or the resistance."""
    cells = _numbers(conductance_us, "conductance_us")
    if cells.ndim < 2:
        raise ConfigError(
            f"found the shape {cells.shape}, expected (…, rows, columns)", where="conductance_us"
        )
    if (cells < 0).any():
        raise ConfigError(f"found {cells.min():.4g} uS, expected at least 0", where="conductance_us")
    if not 0 <= wire_ohm < np.inf:
        raise ConfigError(f"found {wire_ohm!r:.60} ohm, expected a number of at least 0", where="wire_ohm")
    return cells


def _inputs(input_v: ArrayLike) -> Floats:
    return _numbers(input_v, "input_v")


def _numbers(value: ArrayLike, where: str) -> Floats:
    numbers = np.asarray(value, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ConfigError("found a value that is no finite number, expected numbers only", where=where)
    return numbers


def _fits(cells: Floats, inputs: Floats) -> None:
    if cells.ndim != 2:
        raise ConfigError(f"found the shape {cells.shape}, expected (rows, columns)", where="conductance_us")
    if inputs.ndim < 1 or inputs.shape[-1] != cells.shape[0]:
        raise ConfigError(
            f"found the shape {inputs.shape}, expected (…, {cells.shape[0]}), a voltage for each row of the array",
            where="input_v",
        )
