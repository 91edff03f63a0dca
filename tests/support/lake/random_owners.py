"""Random lakes of tables whose metadata names files, with innocent copies of these files.

Each kind of owner is a function that plants one of its tables. It asks the lake for data files that
are to be owned; for each of them the lake puts a copy of the same bytes where nobody names it.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import quote
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from r2d2.model import Table
from tests.support.lake.owned import IcebergTable, avro, put

ROWS = 300
BASE = pa.table(
    {
        "id": pa.array(range(ROWS), pa.int64()),
        "s": [f"value {i * 7919 % ROWS}" for i in range(ROWS)],
        "f": [i * 0.25 for i in range(ROWS)],
    }
)
BASE_AT = "orders/all.parquet"
MOVED_FROM = (
    *("s3://bucket/lake", "s3a://bucket/some/lake", "hdfs://name-node:8020/lake"),
    *("file:/before/lake", "/before/lake", "abfss://c@account.dfs.core.windows.net/lake"),
)


@dataclass
class OwnedLake:
    """A lake on disk. `owner_of` has each owned file's table, `innocent` are the copies.

    `at` is where metadata says that the lake is, `is_moved` whether it is not there any more, and
    `under` the folder, if any, that it was copied into.
    `unread` says that a catalogue's file is there which r2d2 does not read, or that a table's
    metadata is lost. `refused` are tables that are not read.
    """

    root: Path
    chance: Random
    at: str
    is_moved: bool
    under: str = ""
    owner_of: dict[str, str] = field(default_factory=dict)
    innocent: list[str] = field(default_factory=list)
    unread: bool = False
    refused: set[str] = field(default_factory=set)

    def url(self, path: str) -> str:
        """A lake's path as metadata has it."""
        return f"{self.at}/{path.removeprefix(self.under)}"

    def rows(self) -> pa.Table:
        """A few rows of the base table."""
        return BASE.slice(self.chance.randrange(ROWS - 60), self.chance.randint(20, 60))

    def data(self, path: str, owner: str) -> str:
        """Writes a data file that the owner's metadata names, and a copy; returns the path."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(self.rows(), target)
        return self.owned(path, owner)

    def owned(self, path: str, owner: str) -> str:
        """Makes a copy of a file that the owner's metadata names; returns the path."""
        self.owner_of[path] = owner
        places = ("copies", "landing", "exports/eu", path.partition("/")[0] + "_kept")
        name = f"{self.chance.choice(places)}/region_{_letters(len(self.innocent))}.parquet"
        self.innocent.append(name)
        put(self.root / name, (self.root / path).read_bytes())
        return path

    def name(self) -> str:
        """A name for a data file that no other has, at times with characters that URLs quote."""
        word = self.chance.choice(("", "", "a b ", "50% ", "ü", "x+y"))
        return f"{word}{UUID(int=self.chance.getrandbits(128))}.parquet"

    def check(self, tables: Mapping[str, Table]) -> None:
        """Fails unless an owned file is in its owner's table, in one that is kept, or in none.

        Every copy is a table, and may be deleted.
        """
        for table in tables.values():
            for file in table.files:
                owner = self.owner_of.get(file.path, table.location)
                if owner != table.location and table.eligible:
                    assert table.must_keep, f"{file.path} of {owner} is free"
                    is_own = table.location == file.path and not self.is_moved
                    assert self.unread or not is_own, f"{file.path} is a table"
        for location in self.refused:
            assert not tables[location].eligible, f"{location} is eligible"
        for path in self.innocent:
            assert tables[path].eligible
            assert tables[path].must_keep is None or self.unread, tables[path].must_keep


def _letters(number: int) -> str:
    """A word that counts nothing: `split` calls the parts of a file `aa`, `ab` and so on."""
    return f"{'bdfgklmnprst'[number // 5]}{'aeiou'[number % 5]}lia"


def make_owned_lake(root: Path, seed: int, bucket: str | None = None) -> OwnedLake:
    """The lake of the seed: a table of its own, and three to seven owners.

    It may be put into a `bucket` afterwards, in the folder that is called as its root.
    """
    chance = Random(seed)
    is_moved = chance.random() < 0.35
    schemes = ("s3", "s3a", "s3n") if bucket else ("", "file:", "file://")
    here = f"{chance.choice(schemes)}" + (f"://{bucket}/{root.name}" if bucket else str(root))
    at = chance.choice(MOVED_FROM) if is_moved else here
    under = chance.choice(("", "backup/")) if is_moved else ""
    lake = OwnedLake(root, chance, at, is_moved, under)
    (root / BASE_AT).parent.mkdir(parents=True)
    pq.write_table(BASE, root / BASE_AT)
    plants = chance.sample(PLANTS, chance.randint(3, 7))
    if chance.random() < 0.1:
        plants.append(ducklake_in_duckdb)
    for number, plant in enumerate(plants):
        plant(lake, f"{under}{chance.choice(('wh/db', 'tables', 'raw/eu'))}/t{_letters(number)}")
    return lake


def iceberg(lake: OwnedLake, home: str) -> None:
    """Snapshots live, old and on a branch; delete files; files added from elsewhere."""
    chance = lake.chance
    apart = chance.random() < 0.5
    data = f"{lake.under}ice{home.removeprefix(lake.under)}" if apart else f"{home}/data"
    version, compressed = chance.choice((1, 2, 3)), chance.random() < 0.3
    table = IcebergTable(lake.root, home, lake.url, version=version, compressed=compressed)
    if apart:
        table.properties["write.data.path"] = lake.url(data)
    old, new, branch = (lake.data(f"{data}/{lake.name()}", home) for _ in range(3))
    added = lake.data(f"{lake.under}landing/{lake.name()}", home)
    table.commit([old, added])
    deletes = [lake.data(f"{data}/{lake.name()}", home)] if table.version > 1 else []
    table.commit([new], deletes)
    table.commit([new, branch])
    statistics = lake.data(f"{home}/metadata/stats-{lake.name()}", home)
    table.more["partition-statistics"] = [
        {"snapshot-id": 3, "statistics-path": lake.url(statistics), "file-size-in-bytes": 1}
    ]
    table.more["refs"] = {"dev": {"snapshot-id": 3, "type": "branch"}}
    if chance.random() < 0.3:
        del table.snapshots[0]  # expired: its files are dead, if they are there still
    table.write()
    if chance.random() < 0.3:
        lake.owner_of[f"{data}/orphan.parquet"] = home
        pq.write_table(lake.rows(), lake.root / f"{data}/orphan.parquet")


def sql_catalogue(lake: OwnedLake, home: str) -> None:
    """An Iceberg table that a catalogue in SQLite knows."""
    table = IcebergTable(lake.root, home, lake.url)
    metadata = table.commit([lake.data(f"{home}-data/{lake.name()}", home)])
    if lake.is_moved:
        lake.unread = True  # the catalogue names metadata where the lake was: any file may be its
    with closing(sqlite3.connect(lake.root / f"{home}.db")) as database, database:
        database.execute("CREATE TABLE iceberg_tables (table_name, metadata_location)")
        database.execute("INSERT INTO iceberg_tables VALUES ('t', ?)", [lake.url(metadata)])


def _action(kind: str, path: str, **more: object) -> str:
    add = {"path": path, "size": 1, "partitionValues": {}, "modificationTime": 0}
    return json.dumps({kind: add | {"dataChange": True} | more})


def _delta_log(lake: OwnedLake, home: str, commits: list[list[str]]) -> None:
    fields = [("id", "long"), ("s", "string"), ("f", "double")]
    schema = {
        "type": "struct",
        "fields": [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in fields],
    }
    start = [
        json.dumps({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json.dumps(
            {
                "metaData": {
                    "id": str(UUID(int=1)),
                    "format": {"provider": "parquet", "options": {}},
                    "schemaString": json.dumps(schema),
                    "partitionColumns": [],
                    "configuration": {},
                }
            }
        ),
    ]
    for version, actions in enumerate(commits):
        lines = [*(start if version == 0 else []), *actions]
        put(lake.root / f"{home}/_delta_log/{version:020}.json", "\n".join(lines) + "\n")


def delta_absolute(lake: OwnedLake, home: str) -> None:
    """Files by absolute paths, one of them removed and kept for time travel; a deletion vector."""
    live, dead = (lake.data(f"{lake.under}shared/{lake.name()}", home) for _ in range(2))
    near = lake.data(f"{home}/{lake.name()}", home)
    vector = {
        "storageType": "p",
        "pathOrInlineDv": lake.url(f"{lake.under}shared/vector.bin"),
        "offset": 1,
        "sizeInBytes": 36,
        "cardinality": 1,
    }
    near_name = quote(near[len(home) + 1 :])
    _delta_log(
        lake,
        home,
        [
            [_action("add", near_name), _action("add", _quoted(lake.url(dead)))],
            [
                _action("remove", _quoted(lake.url(dead))),
                _action("add", _quoted(lake.url(live)), deletionVector=vector),
            ],
        ],
    )


def _quoted(url: str) -> str:
    return quote(url, safe="/:@")


def delta_clone(lake: OwnedLake, home: str) -> None:
    """A table of delta-rs, and a shallow clone of its first version, of which it has gone on."""
    source = lake.root / home
    for part in range(2):
        write_deltalake(source, lake.rows(), mode="append" if part else "overwrite")
    first = [f"{home}/{name}" for name in _files_of(source)]
    write_deltalake(source, lake.rows(), mode="overwrite")
    for path in (*first, *(f"{home}/{name}" for name in _files_of(source))):
        lake.owned(path, home)
    actions = [_action("add", _quoted(lake.url(path))) for path in first]
    _delta_log(lake, f"{home}_clone", [actions])
    if lake.chance.random() < 0.5:  # the commits are gone: only the checkpoint names the files
        log = lake.root / f"{home}_clone/_delta_log"
        (log / f"{0:020}.json").unlink()
        pq.write_table(
            pa.table({"add": [{"path": _quoted(lake.url(path)), "size": 1} for path in first]}),
            log / f"{0:020}.checkpoint.parquet",
        )


def _files_of(table: Path) -> list[str]:
    return [Path(uri).name for uri in DeltaTable(table).file_uris()]


def hudi(lake: OwnedLake, home: str) -> None:
    """A table on top of files that were there before (bootstrap)."""
    source = f"{lake.under}before/{home.removeprefix(lake.under)}"
    put(
        lake.root / f"{home}/.hoodie/hoodie.properties",
        "#Updated\nhoodie.table.name=t\nhoodie.table.type=COPY_ON_WRITE\n"
        "hoodie.bootstrap.base.path=" + lake.url(source).replace(":", "\\:") + "\n",
    )
    put(lake.root / f"{home}/.hoodie/timeline/20240101.commit", "{}")
    lake.data(f"{home}/region=eu/{lake.name()}", home)
    part = lake.chance.choice(("", "region=eu/"))
    for _ in range(2):
        lake.data(f"{source}/{part}{lake.name()}", home)


def paimon(lake: OwnedLake, home: str) -> None:
    """A table with changelogs and a branch, whose new files go to another place."""
    outside = f"{lake.under}external/{home.removeprefix(lake.under)}"
    for folder in (home, f"{home}/branch/branch-dev"):
        put(lake.root / f"{folder}/snapshot/snapshot-1", "{}")
        options = {"data-file.external-paths": f"{lake.url(outside)},s3://other/place"}
        put(lake.root / f"{folder}/schema/schema-0", json.dumps({"options": options}))
    lake.data(f"{home}/dt=1/bucket-0/data-{lake.name()}", home)
    lake.data(f"{home}/dt=1/bucket-0/changelog-{lake.name()}", home)
    lake.data(f"{home}/branch/branch-dev/bucket-0/data-{lake.name()}", home)
    far = lake.data(f"{outside}/bucket-0/data-{lake.name()}", home)
    elsewhere = lake.data(f"{lake.under}hot/{lake.name()}", home)
    file = {
        "type": "record",
        "name": "file",
        "fields": [{"name": "_EXTERNAL_PATH", "type": ["null", "string"], "default": None}],
    }
    rows = [{"_FILE": {"_EXTERNAL_PATH": lake.url(path)}} for path in (far, elsewhere)]
    content = avro("entry", [{"name": "_FILE", "type": file}], [*rows, {"_FILE": {}}])
    put(lake.root / f"{home}/manifest/manifest-{UUID(int=3)}-0", content)


def lance(lake: OwnedLake, home: str) -> None:
    """A folder of Lance's; what else lies in it is not for others to judge."""
    put(lake.root / f"{home}.lance/_versions/18446744073709551614.manifest", b"\x08LANC")
    put(lake.root / f"{home}.lance/data/{UUID(int=4)}.lance", b"LANC")
    lake.data(f"{home}.lance/data/{lake.name()}", f"{home}.lance")


def ducklake(lake: OwnedLake, home: str) -> None:
    """A catalogue in SQLite: files of all versions, added ones, deletes, those to be deleted."""
    inside = f"{home}_files"
    catalogue = lake.root / f"{home}.{lake.chance.choice(('db', 'ducklake', 'sqlite'))}"
    owner = catalogue.relative_to(lake.root).as_posix()
    relative = lake.chance.random() < 0.4
    data_path = f"{lake.url(inside)}/"
    if relative:
        data_path = f"{lake.root.name}/{inside.removeprefix(lake.under)}/"
    live, dead, deleted, scheduled = (lake.name() for _ in range(4))
    for name in (live, dead, deleted):
        lake.data(f"{inside}/main/t/{name}", owner)
    lake.data(f"{inside}/{scheduled}", owner)
    added = lake.data(f"{lake.under}landing/{lake.name()}", owner)
    with closing(sqlite3.connect(catalogue)) as database, database:
        run = database.execute
        run("CREATE TABLE ducklake_metadata (key, value)")
        run("INSERT INTO ducklake_metadata VALUES ('data_path', ?)", [data_path])
        run("CREATE TABLE ducklake_schema (schema_id, path, path_is_relative)")
        run("INSERT INTO ducklake_schema VALUES (0, 'main/', 1)")
        run("CREATE TABLE ducklake_table (table_id, schema_id, path, path_is_relative)")
        run("INSERT INTO ducklake_table VALUES (1, 0, 't/', 1)")
        run("CREATE TABLE ducklake_data_file (table_id, end_snapshot, path, path_is_relative)")
        run("INSERT INTO ducklake_data_file VALUES (1, NULL, ?, 1), (1, 2, ?, 1)", [live, dead])
        run("INSERT INTO ducklake_data_file VALUES (1, NULL, ?, 0)", [lake.url(added)])
        run("CREATE TABLE ducklake_delete_file (table_id, path, path_is_relative)")
        run("INSERT INTO ducklake_delete_file VALUES (1, ?, 1)", [deleted])
        run("CREATE TABLE ducklake_files_scheduled_for_deletion (path, path_is_relative)")
        run("INSERT INTO ducklake_files_scheduled_for_deletion VALUES (?, 1)", [scheduled])


def ducklake_in_duckdb(lake: OwnedLake, home: str) -> None:
    """A catalogue in DuckDB's own format."""
    (lake.root / home).parent.mkdir(parents=True, exist_ok=True)
    name = lake.data(f"{home}.ducklake.files/main/t/{lake.name()}", f"{home}.ducklake")
    added = lake.data(f"{lake.under}landing/{lake.name()}", f"{home}.ducklake")
    with duckdb.connect(str(lake.root / f"{home}.ducklake")) as database:
        database.execute("CREATE TABLE ducklake_data_file (path VARCHAR, path_is_relative BOOLEAN)")
        for path in (name, added):
            database.execute("INSERT INTO ducklake_data_file VALUES (?, false)", [lake.url(path)])
    lake.unread = True


def symlink_manifests(lake: OwnedLake, home: str) -> None:
    """Lists of files for Hive and Presto, by partition or not."""
    for part in lake.chance.choice((("",), ("d=1/", "d=2/"))):
        names = [lake.data(f"{lake.under}published/{lake.name()}", home) for _ in range(2)]
        lines = "".join(f"{lake.url(name)}\n" for name in names)
        put(lake.root / f"{home}/_symlink_format_manifest/{part}manifest", lines)


def parquet_metadata(lake: OwnedLake, home: str) -> None:
    """A dataset whose `_metadata` names all its files, whatever they are called."""
    telling = lake.chance.random() < 0.5
    footers: list[pq.FileMetaData] = []
    for number in range(3):
        name = f"orders_{_letters(number)}.parquet" if telling else f"part.{number}.parquet"
        path = lake.root / lake.data(f"{home}/{name}", home)
        footers.append(pq.read_metadata(path))
        footers[-1].set_file_path(name)
    pq.write_metadata(BASE.schema, lake.root / f"{home}/_metadata", footers)


def databricks(lake: OwnedLake, home: str) -> None:
    """Parts of two transactions, the second of which may be broken off or removed, or all right."""
    chance = lake.chance
    done, other = (str(chance.getrandbits(62)) for _ in range(2))
    for key in chance.choice((("",), ("k=1/", "k=a b/"))):
        first, second = (
            f"part-00000-tid-{tid}-{UUID(int=number)}-1-c000.snappy.parquet"
            for number, tid in enumerate((done, other))
        )
        for name in (first, second):
            lake.data(f"{home}/{key}{name}", home)
        folder = lake.root / home / key
        put(folder / f"_started_{done}", "")
        put(folder / f"_committed_{done}", json.dumps({"added": [first], "removed": []}))
        fate = chance.choice(("whole", "broken off", "removed", "a failed task's", "no markers"))
        if fate != "no markers":
            put(folder / f"_started_{other}", "")
        if fate in ("whole", "removed", "a failed task's"):
            added = [] if fate == "a failed task's" else [second]
            put(folder / f"_committed_{other}", json.dumps({"added": added, "removed": []}))
        if fate == "removed":
            put(folder / "_committed_vacuum77", json.dumps({"added": [], "removed": [second]}))
        if fate != "whole":
            lake.refused.add(home)


def streaming_sink(lake: OwnedLake, home: str) -> None:
    """A sink of Spark's streaming with an orphan; its files may lie where it was before."""
    chance = lake.chance
    place = chance.choice((home, home, f"{lake.under}before/{home.removeprefix(lake.under)}"))
    compacted = chance.random() < 0.5
    for batch in range(8, 11):
        names = []
        for part in range(2):
            key = chance.choice(("", f"k={part}/", "k=a b/"))
            names.append(lake.data(f"{place}/{key}part-{part:05}-{lake.name()}", home))
        lines = [
            json.dumps({"path": quote(lake.url(name), safe="/:@="), "size": 1, "action": "add"})
            for name in names
        ]
        ending = ".compact" if compacted and batch == 9 else ""
        if batch > 8 or not compacted:
            number = batch if compacted else batch - 8
            put(lake.root / f"{home}/_spark_metadata/{number}{ending}", "\n".join(["v1", *lines]))
        elif place != home:
            for name in names:  # compacted away: nobody names them
                del lake.owner_of[name]
    if place == home:
        lake.data(f"{home}/part-00000-{lake.name()}", home)
    lake.refused.add(home)


def hive_acid(lake: OwnedLake, home: str) -> None:
    """A transactional table of Hive, partitioned or not, one partition of which is plain still."""
    chance = lake.chance
    lake.refused.add(home)
    keys = chance.choice((("",), ("p=1/", "p=2/"), ("p=1/q=a b/", "p=1/q=c/")))
    name = chance.choice(("bucket_00000", "bucket_00000.parquet"))
    plain = chance.choice(("000000_0", "000000_0.parquet", "000001_0_copy_1.parquet"))
    for key in keys:
        for number in range(1, chance.randint(2, 3)):
            lake.data(f"{home}/{key}delta_{number:07}_{number:07}_0000/{name}", home)
        lake.data(f"{home}/{key}base_{chance.choice((3, 12_345_678)):07}/{plain}", home)
        lake.data(f"{home}/{key}delete_delta_0000004_0000004/{name}", home)
        put(lake.root / f"{home}/{key}delete_delta_0000004_0000004/_orc_acid_version", "2")
    lake.data(f"{home}/{'p=3/q=d/' if 'q' in keys[0] else 'p=3/' if keys[0] else ''}{plain}", home)


def iceberg_remnant(lake: OwnedLake, home: str) -> None:
    """A table of Iceberg whose metadata files are lost, and at times its manifests, too."""
    chance = lake.chance
    lake.refused.add(home)
    table = IcebergTable(lake.root, home, lake.url)
    added = lake.data(f"{lake.under}landing/{lake.name()}", home)
    table.commit([lake.data(f"{home}/data/{lake.name()}", home), added])
    table.commit([lake.data(f"{home}/data/k=1/{lake.name()}", home)])
    for path in (lake.root / table.folder).glob("*.metadata.json"):
        path.unlink()
    if chance.random() < 0.3:
        put(lake.root / table.folder / "version-hint.text", "2")
    if chance.random() < 0.15:
        lake.unread = True  # which files were the table's cannot be known
        for path in (lake.root / table.folder).glob("*-m*.avro"):
            path.unlink()


PLANTS: tuple[Callable[[OwnedLake, str], None], ...] = (
    *(iceberg, sql_catalogue, delta_absolute, delta_clone, hudi, paimon, lance, ducklake),
    *(symlink_manifests, parquet_metadata, databricks, streaming_sink, hive_acid, iceberg_remnant),
)
