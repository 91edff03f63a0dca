"""Which rows satisfy an atom, by Arrow: what the engines mean by it, apart from any encoding."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import array_of, null_mask, numbers
from r2d2.recipes.grammar import Atom, Between, Equals, In, IsNull, NotNull
from r2d2.recipes.literals import Literal


def holds(atom: Atom, column: pa.Array) -> npt.NDArray[np.bool_]:
    """For each row of the atom's column whether the atom holds.

    NULL satisfies IS NULL alone; NaN satisfies IS NOT NULL alone; -0.0 is 0.0.
    """
    truth = _truth(atom, column)
    nulls = null_mask(truth)
    return numbers(truth) if nulls is None else numbers(truth) & ~nulls


def _truth(atom: Atom, column: pa.Array) -> pa.Array:
    match atom:
        case IsNull():
            return pc.is_null(column)
        case NotNull():
            return pc.is_valid(column)
        case Equals(value=value):
            return pc.equal(column, _scalar(value, column))
        case Between(low=low, high=high):
            above = pc.greater_equal(column, _scalar(low, column))
            return pc.and_(above, pc.less_equal(column, _scalar(high, column)))
        case In(values=values):
            listed = pa.concat_arrays([value.array().cast(column.type) for value in values])
            # is_in looks up bits, by which -0.0 is not 0.0.
            zero = array_of(np.zeros(1), pa.float64())[0]
            zeroed = (
                pc.add(column, zero.cast(column.type)) if pt.is_floating(column.type) else column
            )
            return pc.is_in(zeroed, listed)


def _scalar(value: Literal, column: pa.Array) -> pa.Scalar:
    return value.scalar().cast(column.type)
