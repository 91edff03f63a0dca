"""Explains why one pair of tables is an edge or is not: the stages run on the two alone."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any

import numpy as np

from r2d2.engines.local.lake import LocalLake
from r2d2.errors import UsageError
from r2d2.formats.united import typed_nulls
from r2d2.graph import Block, Graph
from r2d2.hashing.renderings import as_texts
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import merge, present_mask, sorted_unique
from r2d2.lake.groups import grouped
from r2d2.lake.inventory import Inventory, described, read_split
from r2d2.lake.selection import selected
from r2d2.model import SHORT_TEXT, UNNAMED, Column, Evidence, Table, Verdict
from r2d2.pipeline import Stage, stages_of
from r2d2.progress import Silence
from r2d2.settings.find import Settings
from r2d2.stages.exports import TEXT, Exports
from r2d2.stages.metadata import Metadata
from r2d2.stages.schema import fold, matched_columns
from r2d2.storage import storage_of
from r2d2.storage.local import Storage
from r2d2.text_tables import did_you_mean, printable, visible


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict of each stage on a pair, up to the one that decides; sample rows if asked for."""

    child: str
    parent: str
    evidence: tuple[Evidence, ...]
    samples: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """The explanation as plain data."""
        return {
            "child": self.child,
            "parent": self.parent,
            "verdict": self.evidence[-1].verdict.value,
            "stage": self.evidence[-1].stage,
            "evidence": [[e.stage, e.verdict.value, e.reason] for e in self.evidence],
            "samples": list(self.samples),
        }

    def lines(self) -> Iterator[str]:
        """The explanation as lines of text."""
        last = self.evidence[-1]
        yield (
            f"{visible(self.child)} in {visible(self.parent)}: {last.verdict.value} by {last.stage}"
        )
        for evidence in self.evidence:
            yield f"  {evidence.stage}: {evidence.verdict.value}: {printable(evidence.reason)}"
        for sample in self.samples:
            yield f"  not in the parent: {printable(sample)}"


def explain_pair(
    lake: str, child: str, parent: str, settings: Settings, samples: int
) -> Explanation:
    """The verdicts of the settings' stages on child in parent.

    Raises:
        UsageError: the lake has no table of that name.
        LakeError: the lake cannot be listed.
    """
    storage = storage_of(lake)
    pair = _tables(storage, settings, child, parent)
    for role, table in zip(("child", "parent"), pair, strict=True):
        if table.problem is not None:
            reason = f"the {role} is left out: {table.problem}"
            return Explanation(child, parent, (Evidence("tables", Verdict.NOT_JUDGED, reason),))
    with PairLake(storage, settings, pair) as two:
        evidence, graph, renderings = _decided(pair, stages_of(settings), two)
    shown: tuple[str, ...] = ()
    judged = evidence[-1].verdict is not Verdict.NOT_JUDGED
    if samples and judged and evidence[-1].stage in ("sketch", "exact", "sample", "metadata"):
        compared = _compared(graph, settings)
        shown = tuple(_missing_rows(storage, settings, compared, renderings, samples))
    return Explanation(child, parent, evidence, shown)


class PairLake(LocalLake):
    """A lake of two known tables."""

    def __init__(self, storage: Storage, settings: Settings, pair: tuple[Table, Table]) -> None:
        super().__init__(storage, settings, Silence())
        self._tables = pair

    def inventory(self) -> Inventory:
        """The two tables."""
        return Inventory(tuple(self._tables), {})


def _tables(storage: Storage, settings: Settings, *locations: str) -> tuple[Table, Table]:
    listing = storage.list()
    found = grouped(storage, listing, settings.tables)
    groups = {group.location or ".": group for group in found.groups}
    files = {file.path: file for file in listing.files}
    for location in locations:
        if location not in groups:
            if (owner := found.owners.owner_of(location)) and location in files:
                raise UsageError(f"{location} is no table of its own: it belongs to {owner}")
            near = did_you_mean(location, groups) or ";"
            raise UsageError(
                f"{storage.url} has no table {location!r}{near} `r2d2 tables` lists what it has"
            )
    pair = [groups[location] for location in locations]
    asked = replace(settings, sample_tables=0)  # whoever names two tables wants these
    left_out = {table.location: table for table in selected(pair, asked).left_out}
    child, parent = described(storage, settings, pair, files)
    return left_out.get(child.location, child), left_out.get(parent.location, parent)


def _decided(
    pair: tuple[Table, Table], stages: Sequence[Stage], lake: PairLake
) -> tuple[tuple[Evidence, ...], Graph, Mapping[str, str]]:
    """The stages' verdicts until one decides, the graph after it, and an export's renderings."""
    graph = Graph(pair)
    evidence: list[Evidence] = []
    renderings: dict[str, str] = {}
    later = {stage.name for stage in stages}
    for stage in stages:
        is_idle = bool(evidence) and not graph.blocks
        graph = stage(replace(graph, reasons={}), lake)
        if isinstance(stage, Metadata) and graph.claimed:
            again = stage.reopened(graph, lake)
            graph = replace(again, blocks=graph.blocks + again.blocks, reasons=graph.reasons)
        graph = replace(graph, blocks=tuple(filter(None, map(_child_in_parent, graph.blocks))))
        renderings |= {name: told for block in graph.blocks for name, told in block.renderings}
        later.discard(stage.name)
        if is_idle and "exports" in later:
            continue  # refuted by an earlier stage, which only the export's text may mend
        found = _evidence(stage.name, graph)
        if isinstance(stage, Exports) and found.verdict is Verdict.REFUTED:
            found = replace(found, reason=_not_exported(stage, graph, lake))
        elif found.verdict is Verdict.REFUTED and "exports" in later and _may_be_export(graph):
            reason = f"{found.reason}; as an export's text it may be there"
            found = replace(found, verdict=Verdict.PLAUSIBLE, reason=reason)
        evidence.append(found)
        if found.verdict is not Verdict.PLAUSIBLE:
            break
    return tuple(evidence), graph, renderings


def _compared(graph: Graph, settings: Settings) -> tuple[Table, Table]:
    """The two tables, the child without columns that need no parent and that the parent lacks."""
    (child, parent), case = graph.tables, settings.case_sensitive
    free = graph.free.get(0, {}).keys() - {fold(column.name, case) for column in parent.columns}
    columns = tuple(c for c in child.columns if fold(c.name, case) not in free)
    return replace(child, columns=columns), parent


def _child_in_parent(block: Block) -> Block | None:
    """The block with the one pair asked about: table 0 in table 1."""
    masks = [
        mask & (block.children[rows, None] == 0) & (block.parents == 1)
        for rows, mask in block.chunks()
    ]
    narrowed = block.narrowed(masks)
    return narrowed if len(narrowed.children) else None


def _missing_rows(
    storage: Storage,
    settings: Settings,
    pair: Sequence[Table],
    renderings: Mapping[str, str],
    samples: int,
) -> Iterator[str]:
    """Up to `samples` distinct child rows, as text, that the parent lacks."""
    child, parent = pair
    child_columns, parent_columns = matched_columns(
        child, parent, settings.case_sensitive, settings.types
    )
    if renderings:
        parent_columns = as_texts(parent_columns, renderings)
    held = merge(
        [
            sorted_unique(row_hashes(batch, [parent_columns], settings.types)[0])
            for split in parent.splits
            for batch in read_split(storage, split, {column.path[0] for column in parent_columns})
        ]
    )
    seen: set[str] = set()
    for split in child.splits:
        for batch in read_split(storage, split, {column.path[0] for column in child_columns}):
            (hashes,) = row_hashes(batch, [child_columns], settings.types)
            for row in np.flatnonzero(~present_mask(hashes, held)).tolist():
                seen.add(_row_told(batch.slice(row, 1).to_pylist()[0]))
                if len(seen) == samples:
                    yield from sorted(seen)
                    return
    yield from sorted(seen)


def _row_told(row: Mapping[str, object]) -> str:
    """A row's values by the columns' names.

    >>> _row_told({"a": 1, "b": None, "c": "is", "d": date(2026, 3, 1)})
    'a = 1, b = NULL, c = "is", d = 2026-03-01'
    """
    return ", ".join(f"{name or UNNAMED} = {_value_told(value)}" for name, value in row.items())


def _value_told(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case date() | time():  # and datetime, which is a date
            return value.isoformat()
        case _:
            return str(value)


def _evidence(stage: str, graph: Graph) -> Evidence:
    """The verdict, on the first table in the second, of the stage that made the graph."""
    locations = tuple(table.location for table in graph.tables)
    edge = next((e for e in graph.closed().edges if (e.child, e.parent) == locations), None)
    if edge is not None:
        return edge.evidence[-1]
    if any((e.child, e.parent) == locations for e in graph.degenerate):
        reason = "the child has no rows or no columns: contained, and listed apart"
        return Evidence(stage, Verdict.PROVED, reason)
    failed = [table for table in graph.tables if table.problem]
    if failed:
        return Evidence(stage, Verdict.NOT_JUDGED, f"a table is left out: {failed[0].problem}")
    if stage == "renamed":
        return Evidence(stage, Verdict.PLAUSIBLE, _renamed_reason(graph))
    if not graph.blocks:
        return Evidence(stage, Verdict.REFUTED, _reason(stage, graph))
    as_text = [f"{name} as {told}" for block in graph.blocks for name, told in block.renderings]
    if stage == "exports" and as_text:
        return Evidence(stage, Verdict.PLAUSIBLE, f"equal after parsing: {', '.join(as_text)}")
    return Evidence(stage, Verdict.PLAUSIBLE, "nothing speaks against it")


def _renamed_reason(graph: Graph) -> str:
    (child, child_named), (parent, parent_named) = zip(graph.tables, graph.named, strict=True)
    names = {label.name: column.name for label, column in _labelled(parent, parent_named)}
    pairs = [(c.name, names.get(label.name, c.name)) for label, c in _labelled(child, child_named)]
    other = [f"{name} = {also}" for name, also in pairs if name.lower() != also.lower()]
    if not other:
        return "no column is taken for one of another name"
    return f"taken for the same columns: {', '.join(other)}"


def _reason(stage: str, graph: Graph) -> str:
    if stage == "schema":
        return _schema_reason(graph)
    return ", ".join(reason for reason, count in graph.reasons.items() if count) or "refuted"


def _schema_reason(graph: Graph) -> str:
    child, parent = graph.tables
    parent_types = {column.name.lower(): column.type for column in parent.columns}
    columns = _labelled(child, graph.named[0] if graph.named else child)
    lacking = [c.name for label, c in columns if label.name.lower() not in parent_types]
    needed = _needed(graph, lacking)
    if needed or len(lacking) == len(columns):
        names = {column.name.lower() for table in graph.named[1:] for column in table.columns}
        unknown = [name for name in needed if name.lower() not in names]
        return f"the parent lacks {_columns_told(unknown or needed or lacking)}"
    other = [
        f"{c.name or UNNAMED} ({c.type} against {parent_types[label.name.lower()]})"
        for label, c in columns
        if label.name.lower() in parent_types
        and typed_nulls(c.type, parent_types[label.name.lower()]) is None
    ]
    if other:
        return f"types differ: {', '.join(other)}"
    return f"the parent lacks {_columns_told(lacking)}" if lacking else "the parent has no rows"


def _needed(graph: Graph, names: Sequence[str]) -> list[str]:
    """Those of the child's columns that need a parent."""
    free = {column.column for column in graph.free.get(0, {}).values()}
    return [name for name in names if name not in free]


def _columns_told(names: Sequence[str]) -> str:
    noun = "the column" if len(names) == 1 else "the columns"
    return f"{noun} {', '.join(name or UNNAMED for name in names)}"


def _may_be_export(graph: Graph) -> bool:
    """Whether the child is text, and the parent typed, with all columns that need a parent."""
    child, parent = graph.tables
    names = {column.name.lower() for column in parent.columns}
    lacking = [column.name for column in child.columns if column.name.lower() not in names]
    return child.format in TEXT and parent.format not in TEXT and not _needed(graph, lacking)


def _not_exported(stage: Exports, graph: Graph, lake: PairLake) -> str:
    """Why the child is no export of the parent; a text is shown by its shape alone."""
    found = stage.not_rendered(graph, lake, 0)
    if found is None:
        return "the parent has a column that exports are not compared in, or only texts"
    folded, type_, text = found
    names = {
        fold(column.name, stage.case_sensitive): column.name for column in graph.tables[0].columns
    }
    told = f"no rendering of {type_} gives the texts of {names[folded] or UNNAMED}"
    return f"{told}, such as {_shape(text)!r} (its digits shown as 9, its letters as a)"


def _shape(text: str) -> str:
    """The text with each digit as 9 and each letter as a, as values are not shown unasked.

    >>> _shape("1.234,50 EUR")
    '9.999,99 aaa'
    """
    shape = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", text))
    return shape if len(shape) <= SHORT_TEXT else f"{shape[:SHORT_TEXT]}…"


def _labelled(table: Table, named: Table) -> list[tuple[Column, Column]]:
    """The table's columns, each with the same under its own name."""
    return list(zip(table.columns, named.columns, strict=True))
