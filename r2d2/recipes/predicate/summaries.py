"""A predicate from sums: the search where a parent's rows do not fit the memory.

As where no row is partial (see the package's head), the tightest atoms for the child's rows are
made, and the fewest of them that exclude every other row are taken. For a column's tightest atoms
its least and greatest value are enough, whether it has NULL and NaN, and its values where they are
few: `ColumnSummary` adds these up batch by batch. Of a row that is excluded only matters by which
atoms: `Exclusions` keeps each such set of atoms once, and so one pass over the parent serves the
set cover of any number of children.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import Bools, Positions, array_of, numbers
from r2d2.formats.uniform import plain_array
from r2d2.recipes.grammar import Atom, Path
from r2d2.recipes.predicate.atoms import (
    MOST_VALUES,
    CandidateAtom,
    Form,
    in_list,
    satisfied,
    tightest,
)
from r2d2.recipes.predicate.encode import (
    FEW_VALUES,
    ROWS_PER_VALUE,
    EncodedColumn,
    Worth,
    encode,
    has_negative_zero,
    well_formed,
    whole_microseconds,
)
from r2d2.recipes.predicate.set_cover import cover_of, minimal

MOST_PATTERNS = 1 << 12
"""Of excluding atoms: with more no cover is searched."""


@dataclass(slots=True)
class ColumnSummary:
    """One column's values in some rows, added up; `type` is plain, that of the parent's column.

    `values` are its distinct values but NULL and NaN, None once there are too many; `ends` the
    least and the greatest. `is_usable` is False where a value does not fit the type.
    """

    type: pa.DataType
    is_usable: bool = True
    has_nulls: bool = False
    has_nan: bool = False
    values: pa.Array | None = None
    ends: pa.Array | None = None
    _is_many: bool = False

    def add(self, array: pa.Array) -> None:
        """Adds the values of more rows."""
        try:
            # Of a dictionary no row is looked at.
            few = pc.unique(array) if pt.is_dictionary(array.type) else array
            array = in_type(few, self.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            self.is_usable = False
            return
        self.has_nulls |= array.null_count > 0
        known = array.drop_null() if array.null_count else array
        if not self._is_many:
            known = pc.unique(known)
        if pt.is_floating(self.type):
            nan = np.isnan(numbers(known))
            self.has_nan |= bool(nan.any())
            # A sum with 0.0 is not -0.0.
            known = array_of(numbers(known)[~nan] + numbers(known).dtype.type(0), self.type)
        if len(known):
            self._add_known(known)

    def _add_known(self, known: pa.Array) -> None:
        least, greatest = pc.min_max(known).values()
        ends = [pa.repeat(least, 1), pa.repeat(greatest, 1)]
        if self.ends is not None:
            least, greatest = pc.min_max(pa.concat_arrays([self.ends, *ends])).values()
            ends = [pa.repeat(least, 1), pa.repeat(greatest, 1)]
        self.ends = pa.concat_arrays(ends)
        if not self._is_many:
            before = [] if self.values is None else [self.values]
            self.values = pc.unique(pa.concat_arrays([*before, known]))
            if len(self.values) > MOST_VALUES:
                self.values, self._is_many = None, True

    def candidates(
        self, path: Path, position: int, is_partition: bool, child_rows: int
    ) -> Iterator[CandidateAtom]:
        """The column's tightest atoms for these rows, which are of a child of so many rows."""
        known = self.ends if self._is_many else self.values
        shown = [pa.nulls(0, self.type) if known is None else known]
        if self.has_nulls:
            shown.append(pa.nulls(1, self.type))
        if self.has_nan:
            shown.append(array_of(np.array([np.nan]), pa.float64()).cast(self.type))
        array = pa.chunked_array([pa.concat_arrays(shown)])
        column = encode(array, path, position, is_partition) if self.is_usable else None
        if column is None or not len(column.codes):
            return
        # Whether the parent has NULLs is not known yet; an atom that excludes no row is not chosen.
        column = replace(column, has_nulls=True)
        atoms = list(tightest(column, column.codes, child_rows))
        yield from atoms
        if not self._is_many and any(atom.form is Form.BETWEEN for atom in atoms):
            listed = in_list(column, np.arange(len(column.values)), child_rows)
            if listed is not None:
                yield listed


def in_type(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """The values in the plain type."""
    array = plain_array(array)
    return array if array.type == type_ else array.cast(type_)


@dataclass(slots=True)
class ParentColumn:
    """One of the parent's columns as a pass meets it: whether and how it may stand in atoms."""

    path: Path
    position: int
    type: pa.DataType
    is_partition: bool
    is_usable: bool = True
    has_negative_zero: bool = False
    rows: int = 0
    _values: pa.Array | None = None
    _is_many: bool = False
    _lock: Lock = field(default_factory=Lock)

    def values(self, array: pa.Array) -> pa.Array | None:
        """The batch's values in the plain type; None once the column may stand in no atom.

        Threads may share it.
        """
        with self._lock:
            return self._values_met(array) if self.is_usable else None

    def _values_met(self, array: pa.Array) -> pa.Array | None:
        try:
            array = in_type(array, self.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            self.is_usable = False
            return None
        if pt.is_timestamp(self.type) and self.type.unit == "ns":
            self.is_usable = whole_microseconds(pa.chunked_array([array]))
        elif pt.is_large_string(self.type):
            self.is_usable = well_formed(array)
        elif pt.is_floating(self.type):
            self.has_negative_zero = self.has_negative_zero or has_negative_zero(array)
        self.rows += len(array)
        if not self._is_many:
            before = [] if self._values is None else [self._values]
            self._values = pc.unique(pa.concat_arrays([*before, pc.unique(array)]))
            self._is_many = len(self._values) > FEW_VALUES
        return array if self.is_usable else None

    def may_name(self, candidate: CandidateAtom) -> bool:
        """Whether the atom may be named now that all of the parent's rows were met.

        Zero may not where there is -0.0, see `encode.EncodedColumn`.
        """
        named = candidate.column.values.take(array_of(np.array(candidate.ranks, int), pa.int64()))
        has_zero = pt.is_floating(self.type) and bool((numbers(named) == 0).any())
        return self.is_usable and not (has_zero and self.has_negative_zero)

    @property
    def worth(self) -> Worth:
        """How likely people are to filter by the column."""
        if self.is_partition:
            return Worth.PARTITION
        if pt.is_temporal(self.type):
            return Worth.TIME
        few = not self._is_many and len(self._values or ()) * ROWS_PER_VALUE <= self.rows
        return Worth.FEW if few else Worth.MANY


ParentColumns: TypeAlias = Mapping[Path, ParentColumn]
ColumnValues: TypeAlias = Callable[[Path], pa.Array | None]
"""A batch's values by path; None where the column may stand in no atom."""


@dataclass(slots=True)
class Exclusions:
    """The sets of atoms that exclude the parent's rows, each set once.

    After `settle`, only the atoms are looked at that exclude the rows met before. The fewest atoms
    for some rows are the fewest for all, if they do for all; if not, a few of the rows that they
    select by mistake mostly lead to atoms that do (cutting planes: Dantzig, Fulkerson & Johnson,
    1954). Threads may share it.
    """

    candidates: Sequence[CandidateAtom]
    _atoms: list[Atom] = field(default_factory=list)
    _patterns: set[bytes] = field(default_factory=set)
    _is_too_many: bool = False
    _settled: tuple[int, ...] | None = None
    _is_outdated: bool = False
    _lock: Lock = field(default_factory=Lock)

    def selected(self, values: ColumnValues, rows: int) -> Bools:
        """The mask of a batch's rows for which all atoms hold; notes what excludes the others."""
        settled = self._settled
        places = range(len(self.candidates)) if settled is None else settled
        excluded = self._excluded(places, values, rows)
        some: Bools = np.logical_or.reduce(excluded, axis=0)
        if settled is None and some.any():
            self._note(excluded[:, some])
        selected: Bools = np.logical_not(some)
        return selected

    def add_wrong(self, values: ColumnValues, rows: Positions) -> None:
        """Notes which of all atoms exclude these rows of a batch, that the settled ones select."""
        places = array_of(rows, pa.int64())

        def some(path: Path) -> pa.Array | None:
            known = values(path)
            return None if known is None else known.take(places)

        self._note(self._excluded(range(len(self.candidates)), some, len(rows)))
        self._is_outdated = True

    def _excluded(self, places: Sequence[int], values: ColumnValues, rows: int) -> Bools:
        """The rows that each of the atoms at these places excludes (atoms × rows)."""
        self._atoms = self._atoms or [candidate.atom() for candidate in self.candidates]
        excluded = np.zeros((len(places), rows), np.bool_)
        for place, row in zip(places, excluded, strict=True):
            self._exclude(place, values, row)
        return excluded

    def _exclude(self, place: int, values: ColumnValues, excluded: Bools) -> None:
        path = self.candidates[place].column.path
        known = values(path)
        if known is not None:
            read = {path: known}.__getitem__
            np.logical_not(satisfied((self._atoms[place],), read, len(known)), out=excluded)

    def _note(self, excluded: Bools) -> None:
        """Adds the sets of these rows (candidates × rows)."""
        packed = np.ascontiguousarray(np.packbits(excluded, axis=0).T)
        buffers = [None, pa.py_buffer(packed)]
        every = pa.Array.from_buffers(pa.binary(packed.shape[1]), len(packed), buffers)
        new = pc.unique(every).to_pylist()
        with self._lock:
            self._patterns.update(new)
            if len(self._patterns) > MOST_PATTERNS:
                self._shorten()

    def _shorten(self) -> None:
        """Leaves out the sets that hold another."""
        if not self._is_too_many:
            few = minimal(self._sets())
            self._patterns = {row.tobytes() for row in np.packbits(few, axis=1)}
            self._is_too_many = len(few) > MOST_PATTERNS // 2
        if self._is_too_many:
            self._patterns.clear()

    def _sets(self) -> Bools:
        """Sets × candidates."""
        packed = np.frombuffer(b"".join(sorted(self._patterns)), np.uint8)
        bits = np.unpackbits(packed.reshape(len(self._patterns), -1), axis=1)
        return bits[:, : len(self.candidates)].astype(np.bool_)

    def settle(self, columns: ParentColumns) -> bool:
        """Settles for the atoms that do for the rows met so far; False where no few atoms do."""
        self._settled, self._is_outdated = self._cover(columns), False
        return self._settled is not None

    @property
    def is_settled(self) -> bool:
        """Whether not all atoms are looked at."""
        return self._settled is not None

    @property
    def is_outdated(self) -> bool:
        """Whether rows are known since that the atoms it settled for should not select."""
        return self._is_outdated

    @property
    def paths(self) -> set[Path]:
        """The columns of the atoms that are looked at."""
        settled = self._settled
        looked_at = self.candidates if settled is None else [self.candidates[n] for n in settled]
        return {candidate.column.path for candidate in looked_at}

    @property
    def every_path(self) -> set[Path]:
        """The columns of all atoms."""
        return {candidate.column.path for candidate in self.candidates}

    def look_at_all(self) -> None:
        """Looks at all atoms again, of rows met from now on."""
        self._settled = None

    def chosen(self, columns: ParentColumns) -> tuple[CandidateAtom, ...] | None:
        """The fewest atoms that exclude every row that is not selected; None where none do."""
        places = self._settled if self._settled is not None else self._cover(columns)
        if places is None:
            return None
        chosen = [_of_worth(self.candidates[place], columns) for place in places]
        if not all(columns[atom.column.path].may_name(atom) for atom in chosen):
            return None
        return tuple(sorted(chosen, key=lambda atom: (atom.column.worth, atom.column.position)))

    def _cover(self, columns: ParentColumns) -> tuple[int, ...] | None:
        """The places of the fewest atoms of which each set has one."""
        if self._is_too_many:
            return None
        if not self._patterns:
            return ()
        usable = [
            place
            for place, candidate in enumerate(self.candidates)
            if columns[candidate.column.path].may_name(candidate)
        ]
        sets = minimal(self._sets()[:, usable])
        if not sets.any(axis=1).all():
            return None
        atoms = [_of_worth(self.candidates[place], columns) for place in usable]
        chosen = cover_of(atoms, sets)
        if chosen is None:
            return None
        numbers = {id(atom): place for atom, place in zip(atoms, usable, strict=True)}
        return tuple(numbers[id(atom)] for atom in chosen)


def _of_worth(candidate: CandidateAtom, columns: ParentColumns) -> CandidateAtom:
    column: EncodedColumn = candidate.column
    return replace(candidate, column=replace(column, worth=columns[column.path].worth))
