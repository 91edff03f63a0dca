"""A catalogue's listing: its tables, partitions and views, held against the tables that are to go.

`jobs/catalogue.py list` writes it with Spark (`session_catalogue`). A table must stay where an
entry that is not its own has files of it, or a view reads it; so must all where an entry or a view
cannot be understood.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from r2d2.errors import UsageError
from r2d2.lake.deletions import Data
from r2d2.lake.owners.claims import canonical, is_absolute, is_below, parent_of
from r2d2.storage.local import Storage

VERSION = 1
_GLOB = "*?[{"


class CataloguePartition(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A partition of a catalogue's table: its values by column, and its place."""

    values: dict[str, str]
    location: str | None


class CatalogueEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table or view of a catalogue, as much as was told of it.

    `name` is catalogue, database and table. `columns` are name, type and comment. `text` is a
    view's. `problem` says why it could not be described.
    """

    name: tuple[str, str, str]
    kind: str
    location: str | None = None
    provider: str | None = None
    owner: str | None = None
    comment: str | None = None
    columns: list[tuple[str, str, str | None]] = []
    partition_columns: list[str] = []
    parameters: dict[str, str] = {}
    partitions: list[CataloguePartition] = []
    text: str | None = None
    problem: str | None = None

    @property
    def dotted(self) -> str:
        """Its name for people."""
        return ".".join(self.name)

    def places(self) -> Iterator[str]:
        """Where it says that its files are."""
        yield from (place for place in (self.location,) if place)
        yield from (each.location for each in self.partitions if each.location)


class CatalogueListing(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """All that a catalogue has; `not_asked` are catalogues that the same session knows."""

    version: int
    listed_at: datetime
    catalogue: str
    not_asked: list[str]
    entries: list[CatalogueEntry]


class Catalogue:
    """A listing held against a lake.

    Raises:
        UsageError: a view needs a parser of SQL that is not installed.
    """

    def __init__(self, listing: CatalogueListing, storage: Storage) -> None:
        self.listing = listing
        self._root = canonical(storage.absolute("")).rstrip("/")
        self._at: dict[str, list[CatalogueEntry]] = defaultdict(list)
        self._readers: dict[str, list[tuple[tuple[str, ...], CatalogueEntry]]] = defaultdict(list)
        self._unclear = ""
        for entry in listing.entries:
            self._put(entry)
        self._places = sorted(self._at)

    def _put(self, entry: CatalogueEntry) -> None:
        if entry.problem is not None or (entry.kind == "VIEW" and entry.text is None):
            self._unclear = f"{entry.dotted} of the catalogue: {entry.problem or 'has no text'}"
        for place in entry.places():
            self._put_at(place, entry)
        for name in _names_in(entry.text) if entry.text is not None else ():
            if not name:
                self._unclear = f"the view {entry.dotted} cannot be parsed: it may read any table"
            elif is_absolute(name[-1]):
                self._put_at(name[-1], entry)
            else:
                self._readers[name[-1].casefold()].append((name, entry))

    def _put_at(self, place: str, entry: CatalogueEntry) -> None:
        for path in self._paths(_unglobbed(place)):
            self._at[path].append(entry)

    def _paths(self, place: str) -> set[str]:
        """The place's paths in the lake, as it is spelt and as `%20` and the like may mean it."""
        found = {self._path(place), self._path(unquote(place))}
        return {path for path in found if path is not None}

    def _path(self, place: str) -> str | None:
        """The place's path in the lake; "" is its root or above it, None outside."""
        full = canonical(place).rstrip("/")
        if is_below(self._root, full):
            return ""
        inside = full.startswith(f"{self._root}/")
        return full[len(self._root) + 1 :] if inside else None

    def own(self, table: Data) -> CatalogueEntry | None:
        """The entry that is located at a planned table."""
        for entry in self._at.get(table["table"], ()):
            if entry.location and table["table"] in self._paths(entry.location):
                return entry
        return None

    def reason_against(self, table: Data) -> str | None:
        """Why a planned table must stay, None where the catalogue says nothing against it."""
        if self._unclear:
            return f"{self._unclear}; put that right, or list the catalogue anew"
        own = self.own(table)
        for place, entry in self._touching(table):
            if entry.text is not None:
                return f"the view {entry.dotted} of the catalogue reads {place or 'the lake'}"
            if entry is not own:
                return f"{entry.dotted} of the catalogue has {place or 'the whole lake'}, too"
        if own is None:
            return None
        for place in own.places():
            if not any(is_below(path, table["table"]) for path in self._paths(place)):
                return f"{own.dotted} of the catalogue has files elsewhere, too: {place}"
        for name, view in self._readers.get(own.name[-1].casefold(), ()):
            if _may_be(name, own.name):
                return f"the view {view.dotted} of the catalogue reads {own.dotted}"
        return None

    def noted(self, table: Data) -> Data:
        """What the record of a deletion keeps: the table's own entry, whole, and how old it is."""
        own = self.own(table)
        at = self.listing.listed_at.isoformat()
        return {"listed_at": at, "entry": None if own is None else msgspec.to_builtins(own)}

    def _touching(self, table: Data) -> Iterator[tuple[str, CatalogueEntry]]:
        """The entries at, above and below the table's files, each with its place."""
        above = {table["table"]}
        for path, *_ in table["files"]:
            while path not in above:
                above.add(path)
                path = parent_of(path)
        below = f"{table['table']}/"
        start = bisect_left(self._places, below)
        for place in self._places[start:]:
            if not place.startswith(below):
                break
            above.add(place)
        place = parent_of(table["table"])
        while place not in above:
            above.add(place)
            place = parent_of(place)
        for place in sorted(above | {""}):
            yield from ((place, entry) for entry in self._at.get(place, ()))


def load_catalogue(path: Path, storage: Storage, most_days: float = 1.0) -> Catalogue:
    """The listing in a file, held against the lake.

    Raises:
        UsageError: it is no listing, or was made longer ago.
    """
    anew = "`jobs/catalogue.py list FILE` writes one"
    try:
        listing = msgspec.json.decode(path.read_bytes(), type=CatalogueListing)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; {anew}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: no listing of a catalogue: {error}; {anew}") from error
    if listing.version != VERSION:
        raise UsageError(f"{path}: its version is {listing.version}, not {VERSION}; {anew}")
    age = datetime.now(UTC) - listing.listed_at.astimezone(UTC)
    if age > timedelta(days=most_days):
        told = f"{path}: the catalogue was listed {age.total_seconds() / 3600:.0f} hours ago"
        raise UsageError(f"{told}; {anew}, or give --catalogue-days")
    return Catalogue(listing, storage)


def require_asked(catalogue: Catalogue | None) -> None:
    """Passes where all catalogues that are known of were asked.

    Raises:
        UsageError: none was, or some were not.
    """
    if catalogue is None:
        told = "no catalogue is asked whether a table of its own has these files"
        raise UsageError(
            f"{told}: give its listing as --catalogue FILE, or --no-catalogue, which says that you"
            " know of none"
        )
    if left := catalogue.listing.not_asked:
        told = f"the listing's session knows catalogues that were not asked: {', '.join(left)}"
        raise UsageError(
            f"{told}; --no-catalogue beside it says that they have none of these files"
        )


def _names_in(text: str) -> Iterator[tuple[str, ...]]:
    """The names of tables in a view's text, and paths; () where it cannot be parsed."""
    from r2d2.extras import require

    require("plan", "a catalogue with views")
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(text, dialect="spark")
    except sqlglot.errors.SqlglotError:
        yield ()
        return
    if not isinstance(tree, exp.Query):
        yield ()
    for table in tree.find_all(exp.Table):
        parts = tuple(part.name for part in table.parts)
        yield parts if all(parts) and not isinstance(table.this, exp.Func) else ()


def _may_be(name: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    """Whether a view may mean the entry by this name, of as many parts as both have."""
    pairs: Any = zip(reversed(name), reversed(whole), strict=False)
    return all(one.casefold() == other.casefold() for one, other in pairs)


def _unglobbed(place: str) -> str:
    """The place, or the folder in which a pattern begins."""
    first = min((place.find(mark) for mark in _GLOB if mark in place), default=-1)
    return place if first < 0 else parent_of(place[:first])
