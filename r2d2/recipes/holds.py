"""Which rows satisfy an atom, by Arrow: what the engines mean by it, apart from any encoding."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.recipes.grammar import Atom, Between, Equals, In, IsNull, NotNull
from r2d2.recipes.literals import Literal


def holds(atom: Atom, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """For each row of the atom's column whether the atom holds, never NULL.

    NULL satisfies IS NULL alone; NaN satisfies IS NOT NULL alone; -0.0 is 0.0.
    """
    match atom:
        case IsNull():
            return pc.is_null(column)
        case NotNull():
            return pc.is_valid(column)
        case Equals(value=value):
            truth = pc.equal(column, _scalar(value, column))
        case Between(low=low, high=high):
            above = pc.greater_equal(column, _scalar(low, column))
            truth = pc.and_(above, pc.less_equal(column, _scalar(high, column)))
        case In(values=values):
            listed = pa.array([_scalar(value, column) for value in values], column.type)
            # is_in looks up bits, by which -0.0 is not 0.0.
            zeroed = pc.add(column, 0.0) if pt.is_floating(column.type) else column
            truth = pc.is_in(zeroed, listed)
    return pc.fill_null(truth, False)


def _scalar(value: Literal, column: pa.ChunkedArray) -> pa.Scalar:
    return value.scalar().cast(column.type)
