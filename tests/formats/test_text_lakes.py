"""The traps give what they must and what the policies say; the dev lake, what Python reads."""

import csv
import gzip
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from r2d2.errors import TableError
from r2d2.formats.schema import exact_name, matched_name
from r2d2.model import FileInfo
from r2d2.storage.local import LocalStorage, is_hidden
from tests.support.formats.text_files import format_of, inspect, read

pytestmark = pytest.mark.shared

# The columns' names, and the distinct rows.
Read = tuple[list[str], set[tuple[str, ...]]]

# file, contained in base, base contained in it (None: no eligible table), reason
POLICIES = (
    ("utf16.csv", True, True, "a byte-order mark tells the encoding: the same text"),
    ("latin1.csv", True, True, "what is not UTF-8 is read as Latin-1, byte for character"),
    ("space_header.csv", False, False, "names are verbatim: `FIPS ` is not `FIPS`"),
    ("semicolon.csv", True, True, "the delimiter is found in the file, not in its name"),
    ("pipe.txt", None, None, "`.txt` promises no table: it is listed as skipped"),
    ("header_only.csv", True, None, "no rows: contained in all that has its columns, kept apart"),
    ("ragged.csv", None, None, "a short record: unreadable with its line, never padded"),
    ("long_record.csv", None, None, "a long record: unreadable with its line, never cut"),
    ("dup_header.csv", False, True, "a name twice: the first is base's, the second has no other"),
    ("dup_header_case.csv", False, True, "a name twice but for case: each by exactly its own"),
    ("NA_nulls.csv", False, False, "`NA` is text and not the empty text; `null_marker` is one way"),
    ("null_word.csv", False, False, "`NULL` is text, as `NA` is"),
    ("backslash_N.csv", False, False, "`\\N` is text, as `NA` is"),
    ("float_conf.csv", False, False, "12.0 and 12 are two texts"),
    ("padded_fips.csv", False, False, "01001 and 1001 are two texts"),
    ("sci.csv", False, False, "1.2e+01 and 12 are two texts"),
    ("thousands.csv", False, False, "1,234 and 1234 are two texts"),
    ("us_date.csv", False, False, "07/21/2020 and 2020-07-21 are two texts"),
    ("t_date.csv", False, False, "a T and a blank are two texts"),
    ("comment_top.csv", True, True, "lines above the header that start with # are comments"),
    ("title_top.csv", True, True, "a line of one field above a full header is a title"),
    ("backslash_quote.csv", True, True, 'the file has no \\" (else escapes would be found)'),
    ("nfd.csv", True, True, "compared by code points; this file has no accent to tell NFD by"),
    ("gzipped.csv.gz", True, True, "gz and zst are read through"),
    (".hidden.csv", None, None, "names that start with _ or . are skipped and counted"),
    ("_temporary.csv", None, None, "names that start with _ or . are skipped and counted"),
    ("base.csv~", None, None, "no data file by its name"),
    ("BASE.CSV.bak", None, None, "no data file by its name"),
    ("folder.csv/inner.csv", True, True, "a folder's name promises nothing: the file is a table"),
)


@pytest.fixture(scope="module")
def traps(shared_lakes: Path) -> Mapping[str, Read]:
    return read_lake(shared_lakes / "traps" / "csv")


def read_lake(root: Path) -> dict[str, Read]:
    storage = LocalStorage(str(root))
    found: dict[str, Read] = {}
    for file in storage.list().files:
        hidden = any(is_hidden(part) for part in file.path.split("/"))
        if format_of(file.path) is not None and not hidden:
            with suppress(TableError):
                found[file.path] = read_file(storage, file)
    return found


def read_file(storage: LocalStorage, file: FileInfo) -> Read:
    table = inspect(storage, file)
    names = [column.path[0] for column in table.columns]
    rows = {
        row
        for split in table.splits
        for batch in read(storage, split, names)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    }
    return [column.name for column in table.columns], rows


def contained(child: Read, parent: Read) -> bool:
    names, rows = child
    own = {matched_name(name, False): place for place, name in enumerate(parent[0])}
    found = [own.get(matched_name(n, False), own.get(exact_name(n))) for n in names]
    places = [place for place in found if place is not None]
    if len(places) < len(names):
        return False
    return rows <= {tuple(row[place] for place in places) for row in parent[1]}


def found(traps: Mapping[str, Read], name: str) -> tuple[bool | None, bool | None]:
    if name not in traps:
        return None, None
    return contained(traps[name], traps["base.csv"]), contained(traps["base.csv"], traps[name])


def test_every_trap_gives_the_yes_and_no_expected(traps, shared_lakes):
    with open(shared_lakes / "traps" / "expected.csv", newline="") as lines:
        expected = [row for row in csv.DictReader(lines) if row["file"].startswith("csv/")]
    assert len(expected) > 60
    wrong = []
    for row in expected:
        answers = zip((row["in_base"], row["base_in"]), found(traps, row["file"][4:]), strict=True)
        for asked, given in answers:
            if asked in ("yes", "no") and bool(given) != (asked == "yes"):
                wrong.append(row)
    assert wrong == []


@pytest.mark.parametrize(("name", "in_base", "base_in", "reason"), POLICIES)
def test_every_policy_is_as_the_readme_says(traps, name, in_base, base_in, reason):
    given_in_base, given_base_in = found(traps, name)
    assert given_in_base == in_base, reason
    assert bool(given_base_in) == bool(base_in), reason


def test_every_policy_of_the_traps_is_decided(shared_lakes):
    with open(shared_lakes / "traps" / "expected.csv", newline="") as lines:
        asked = {row["file"] for row in csv.DictReader(lines) if "policy" in row.values()}
    decided = {f"csv/{name}" for name, *_ in POLICIES}
    left = {file for file in asked - decided if file.startswith("csv/")}
    # Names that the storage leaves out, and what only a test's own folder can hold.
    assert left == {
        "csv/.base.csv.crc",
        "csv/.DS_Store",
        "csv/_SUCCESS",
        "csv/link.csv",
        "csv/folder.csv",
    }


def test_the_traps_edges_equal_the_brute_force_truth(traps, shared_lakes):
    with open(shared_lakes / "truth" / "truth_T_traps_csv.csv", newline="") as lines:
        truth = [
            row for row in csv.DictReader(lines) if {row["child"], row["parent"]} <= set(traps)
        ]
    assert len(truth) > 400
    for row in truth:
        is_edge = contained(traps[row["child"]], traps[row["parent"]])
        assert is_edge == (float(row["fraction_raw"]) == 1), (row["child"], row["parent"])


def test_the_dev_lake_reads_as_pythons_csv_reads_it(shared_lakes):
    root = shared_lakes / "dev" / "csv"
    storage = LocalStorage(str(root))
    files = storage.list().files
    assert len(files) == 312
    for file in files[::3]:
        table = inspect(storage, file)
        names = [column.path[0] for column in table.columns]
        columns: list[list[str]] = [[] for _ in names]
        for batch in read(storage, table.splits[0], names):
            for column, values in zip(columns, batch.columns, strict=True):
                column += values.to_pylist()
        with open(root / file.path, newline="", encoding="utf-8") as lines:
            header, *rows = csv.reader(lines)
        assert (names, columns) == (header, [list(column) for column in zip(*rows, strict=True)])


def test_a_copy_packed_or_encoded_otherwise_has_the_same_rows(lake, shared_lakes):
    base = (shared_lakes / "traps" / "csv" / "base.csv").read_bytes()
    rows = lake.rows("base.csv", base)
    assert lake.rows("copy.csv.gz", gzip.compress(base)) == rows
    assert lake.rows("copy.tsv", base.decode().encode("utf-16")) == rows
