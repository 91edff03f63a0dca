"""The nouns: files, columns, splits, tables, verdicts, evidence, edges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

SHORT_TEXT = 60
"""Of a value that is shown, so many characters."""
UNNAMED = "(unnamed)"
"""A column without a name, as it is told."""
RANK_MIN, RANK_MAX = -(2**63), 2**63 - 1


class Format(StrEnum):
    """The names of the formats that r2d2 knows of; OTHER are those that it does not read."""

    PARQUET = "parquet"
    DELTA = "delta"
    CSV = "csv"
    JSON = "json"
    ORC = "orc"
    AVRO = "avro"
    OTHER = "other"


class Types(str, Enum):
    """The rule by which column types match: see docs/containment.md, what counts as contained."""

    STRICT = "strict"
    WIDENED = "widened"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file as listed. `version` changes with its bytes: its times in ns, or an ETag."""

    path: str
    size_bytes: int
    version: str


@dataclass(frozen=True, slots=True)
class FileGroup:
    """The files that make one table. `partitioned`: its folders' names hold columns, too.

    `problem` says why the table cannot be read whole, `must_keep` why it is never planned for
    deletion by itself; None where there is no such reason. `inside` are the locations of files and
    tables that lie in its folder and are not its own. `because` says why several files are one
    table, `may_be_part_of` names the folder where it may be part of such a table, `part_since` why;
    `is_settled`: a rule of the user's says that it is a table, so it is none.
    """

    location: str
    format: str
    files: tuple[FileInfo, ...]
    partitioned: bool = False
    problem: str | None = None
    must_keep: str | None = None
    inside: tuple[str, ...] = ()
    because: str | None = None
    may_be_part_of: str | None = None
    part_since: str = ""
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One flattened column.

    `name` is the path's parts joined by dots, a part in backticks where it holds a dot or backtick,
    so that a column named `geo.lat` and field `lat` of struct `geo` stay two.
    `type` is the strict logical type ("int64", "timestamp", "list<string>", …).
    `path` leads into the record batches the table's reader yields: top-level field, then fields.
    `rendering` is how its values are hashed as texts (see `hashing.renderings`); "" for themselves.
    """

    name: str
    type: str
    path: tuple[str, ...]
    rendering: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of one column by its statistics, as order-preserving ranks (see `formats.bounds`).

    The least value lies in [min_low, min_high], the greatest in [max_low, max_high];
    one value has min_low == min_high, an unknown one spans all ranks.
    `has_nulls`, `has_values`: True, False, or None where unknown. `sure`: taken from rows; without
    it a writer says so, and what it refutes is open until rows confirm it.
    """

    min_low: int = RANK_MIN
    min_high: int = RANK_MAX
    max_low: int = RANK_MIN
    max_high: int = RANK_MAX
    has_nulls: bool | None = None
    has_values: bool | None = None
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """A part of a table that is read in one go; picklable, so that executors can read it.

    `format` is the name of one of `r2d2.formats.FORMATS`. `row_groups` restricts a columnar file;
    () is the whole file. `rows` is an estimate where the format does not tell. `context` is what
    the format's reader needs beside the file (a CSV dialect, partition values, a deletion vector):
    a frozen, picklable value.
    """

    format: str
    file: FileInfo
    row_groups: tuple[int, ...] = ()
    rows: int | None = None
    size_bytes: int = 0
    context: object = None


@dataclass(frozen=True, slots=True)
class Table:
    """One dataset at one snapshot. `problem` says why it is not eligible, None where it is.

    `must_keep` says why it may be child and parent and is never planned for deletion, None where it
    may be.
    """

    location: str
    format: str
    columns: tuple[Column, ...] = field(default=(), repr=False)
    rows: int | None = None
    size_bytes: int = 0
    files: tuple[FileInfo, ...] = field(default=(), repr=False)
    snapshot: str = ""
    splits: tuple[Split, ...] = field(default=(), repr=False)
    bounds: Mapping[str, Bounds] = field(default_factory=dict, repr=False)
    details: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: str | None = None
    unreadable: bool = False
    must_keep: str | None = None

    @property
    def eligible(self) -> bool:
        """Whether the table may be child or parent."""
        return self.problem is None


class Verdict(str, Enum):
    """A stage's verdict on a pair. REFUTED is always sound; a sample or sketch never proves.

    A pair with a table that is left out is not judged.
    """

    REFUTED = "refuted"
    PLAUSIBLE = "plausible"
    PROVED = "proved"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stage's verdict and its reason."""

    stage: str
    verdict: Verdict
    reason: str


class Why(StrEnum):
    """The reason why a child's column needs no parent."""

    CONSTANT = "constant"
    ROW_NUMBER = "row number"
    INDEX = "index"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class UnmatchedColumn:
    """A child's column that an edge does not compare with the parent's, and why.

    `type` is Arrow's name of its type, `text` a constant's text; None is NULL.
    """

    column: str
    why: Why
    type: str = ""
    text: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether a recipe can give its values, so that a deletion may rest on the edge."""
        return self.why in (Why.CONSTANT, Why.ROW_NUMBER)

    def __str__(self) -> str:
        name = self.column or UNNAMED
        if self.why is not Why.CONSTANT:
            return f"{name} ({self.why.value})"
        text = self.text or ""
        short = text if len(text) <= SHORT_TEXT else f"{text[:SHORT_TEXT]}…"
        value = "NULL" if self.text is None else repr(short)
        return f"{name} = {value} ({self.why.value})"


@dataclass(frozen=True, slots=True)
class Edge:
    """`child` is contained in `parent` up to `missing_rows` distinct rows.

    `fraction` is (distinct child rows found) / (distinct child rows). `columns` maps each child
    column that was compared to the parent's; `unmatched` are the others: without these columns the
    edge holds, with them nothing is said. `equal_after_cast`: the edge holds under widened types
    only. `distinct_rows` are the child's, where they were counted. `renderings`: the child is text,
    equal after parsing only: how each of its columns renders the parent's (`hashing.renderings`).
    """

    child: str
    parent: str
    fraction: float
    missing_rows: int
    child_rows: int | None
    parent_rows: int | None
    equal: bool
    stage: str
    equal_after_cast: bool = False
    distinct_rows: int | None = None
    columns: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    unmatched: tuple[UnmatchedColumn, ...] = ()
    renderings: tuple[tuple[str, str], ...] = ()

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """The child's columns that have another name in the parent, not only by case, and that."""
        return tuple(
            (own, other) for own, other in self.columns if own.casefold() != other.casefold()
        )

    @property
    def ignores(self) -> bool:
        """Whether it rests on a column that no recipe gives: nothing is deleted for it."""
        return not all(column.is_given for column in self.unmatched)

    @property
    def whole(self) -> bool:
        """Whether every row is contained, but for `unmatched` columns.

        Near-containment is not transitive.
        """
        return self.missing_rows == 0

    @property
    def same_rows(self) -> bool:
        """Whether the two tables are proved to have the same rows in the child's columns.

        So it is where the child's rows are all distinct, and as many as the parent's: each is one
        of the parent's, and all of these are.
        """
        rows = self.distinct_rows
        counted = rows is not None and rows == self.child_rows == self.parent_rows
        holds_as_it_is = not (self.equal_after_cast or self.unmatched or self.renderings)
        return counted and self.whole and holds_as_it_is


@dataclass(frozen=True, slots=True)
class Work:
    """The steps of the tasks that run beside each other: what they had to do, and core-seconds.

    `bytes_decoded` are those of the rows in memory; `rows_hashed` counts a row once for each set of
    columns. Hashing is with sorting; exchange takes the runs of hashes together and compares them.
    """

    bytes_decoded: int = 0
    rows_hashed: int = 0
    decode_s: float = 0.0
    hash_s: float = 0.0
    exchange_s: float = 0.0

    def plus(self, more: "Work") -> "Work":
        """The work of both."""
        return Work(
            self.bytes_decoded + more.bytes_decoded,
            self.rows_hashed + more.rows_hashed,
            self.decode_s + more.decode_s,
            self.hash_s + more.hash_s,
            self.exchange_s + more.exchange_s,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer took: the bytes and rows read from the lake, and more.

    `bytes_shuffled` are row hashes that went from task to task, through Spark's shuffle or scratch
    files. `core_seconds` are those of other processes than this one and its children.
    """

    bytes_read: int = 0
    rows_read: int = 0
    bytes_shuffled: int = 0
    core_seconds: float = 0.0
    work: Work = field(default_factory=Work)

    def plus(self, more: "Cost") -> "Cost":
        """The cost of both."""
        return Cost(
            self.bytes_read + more.bytes_read,
            self.rows_read + more.rows_read,
            self.bytes_shuffled + more.bytes_shuffled,
            self.core_seconds + more.core_seconds,
            self.work.plus(more.work),
        )


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """The work of one stage: pairs given, refuted by reason, proved, left; and its cost."""

    stage: str
    pairs: int
    refuted: int
    proved: int
    left: int
    reasons: Mapping[str, int]
    seconds: float
    bytes_read: int
    rows_read: int
    bytes_shuffled: int = 0
    core_seconds: float = 0.0
    work: Work = field(default_factory=Work)

    def plus(self, more: "FunnelRow") -> "FunnelRow":
        """The row of the stage's first run and of a second one on other pairs."""
        reasons = {**self.reasons}
        for reason, count in more.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
        return FunnelRow(
            self.stage,
            self.pairs + more.pairs,
            self.refuted + more.refuted,
            self.proved + more.proved,
            self.left + more.left,
            {reason: count for reason, count in reasons.items() if count},
            self.seconds + more.seconds,
            self.bytes_read + more.bytes_read,
            self.rows_read + more.rows_read,
            self.bytes_shuffled + more.bytes_shuffled,
            self.core_seconds + more.core_seconds,
            self.work.plus(more.work),
        )
