"""Names that differ by a number or an id alone may be parts; names that say something are not."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.lake.grouping import group_files
from r2d2.lake.part_names import NameKind, judged_names
from r2d2.model import FileGroup, FileInfo
from r2d2.settings.find import Settings, TableRule
from r2d2.storage.local import Listing
from tests.support.recipes.lakes import put, tables
from tests.support.work import lines_run

ROWS = pa.table({"id": range(60), "v": [n % 7 for n in range(60)]})


def groups(*paths: str, rules: tuple[TableRule, ...] = ()) -> dict[str, FileGroup]:
    files = tuple(FileInfo(path, 1, "1") for path in sorted(paths))
    return {group.location: group for group in group_files(Listing(files), rules).groups}


def kinds(*names: str) -> set[NameKind]:
    return {name.kind for name in judged_names(names, "t")}


COUNTED = {
    "Firehose": (
        "stream-1-2020-01-01-00-00-00-7f3a2b1c-1111-2222-3333-444455556660.parquet",
        "stream-1-2020-01-01-00-05-00-91e95c3c-bcaa-4c93-a519-995598961a7e.parquet",
    ),
    "n of m": ("x-1-of-4.parquet", "x-2-of-4.parquet"),
    "a word": ("tbl_1.csv", "tbl_2.csv"),
    "words": ("orders-part-1.csv", "orders-part-2.csv"),
    "a dot": ("orders.part0001.parquet", "orders.part0002.parquet"),
    "in front": ("0001-orders.orc", "0002-orders.orc"),
    "parentheses": ("orders (1).csv", "orders (2).csv"),
    "split": ("xaa.csv", "xab.csv", "xac.csv"),
    "split with a prefix": ("orders-aa.csv", "orders-ab.csv"),
    "split, glued": ("ordersaa.csv", "ordersab.csv"),
    "split by number": ("orders00.csv", "orders01.csv"),
    "DMS": ("LOAD00000001.parquet", "LOAD00000002.parquet"),
    "Airbyte": ("2024_01_01_1704067200000_0.avro", "2024_01_02_1704153600000_0.avro"),
    "a second": ("orders_20240105_120000.csv", "orders_20240106_120000.csv"),
    "a time": ("events-1704067200.json", "events-1704153600.json"),
    "hexadecimal": ("part-0000a.parquet", "part-0000b.parquet"),
    "an id": ("orders-a8f3k2x1.csv", "orders-zq7y1b9c.csv"),
    "MySQL Shell": ("db@t@0.tsv.zst", "db@t@@1.tsv.zst"),
    "BigQuery, glued": ("orders000000000000.csv", "orders000000000001.csv"),
    "months or parts": ("sales_01.csv", "sales_02.csv"),
    "a part of a month": ("flights_2013-01_001.csv", "flights_2013-01_002.csv"),
    "a part of a version": ("orders_v1_001.csv", "orders_v1_002.csv"),
    "letters": ("part_a.csv", "part_b.csv"),
    "no years": ("orders_1999.csv", "orders_2000.csv", "orders_0001.csv"),
    "ClickHouse": ("orders.parquet", "orders.1.parquet", "orders.2.parquet"),
    "ClickHouse, two": ("data.parquet", "data.1.parquet"),
    "the first has no number": ("orders.csv", "orders_1.csv", "orders_2.csv"),
    "the first has no number, two": ("orders.csv", "orders_1.csv"),
    "the first has no number, words": ("orders.csv", "orders.part1.csv", "orders.part2.csv"),
    "a year's first": ("orders_2013.csv", "orders_2013_1.csv", "orders_2013_2.csv"),
    "a part's first": ("a_1.csv", "a_2.csv", "a_1_1.csv"),
    "two hex digits": ("a1.csv", "b7.csv", "0c.csv", "1f.csv"),
    "hex, one with no digit and one with no letter": ("00.csv", "5a.csv", "a5.csv", "ff.csv"),
    "hex behind a name": ("orders-a1.csv", "orders-b7.csv", "orders-0C.csv"),
    "hex beside numbers": ("orders-a1.csv", "orders-b7.csv", "orders-0c.csv", "orders-12.csv"),
    "commits": ("orders-3fa9c1b.csv", "orders-deadbee.csv", "orders-0a1b2c3.csv"),
    "pods": ("worker-7d4f9c6b8-x2kqz.csv", "worker-7d4f9c6b8-p9wlt.csv"),
    "pods of two sets": ("worker-7d4f9c6b8-x2kqz.csv", "worker-66c8b5d4f-bcdfg.csv"),
    "short ids": ("orders_k3Jd9.csv", "orders_Zq81x.csv", "orders_p0Lm4.csv"),
    "runs": ("run-4f7k.csv", "run-9x2m.csv", "run-b3qz.csv"),
    "ids in the middle": ("run-4f7k-out.csv", "run-9x2m-out.csv"),
}


@pytest.mark.parametrize("names", COUNTED.values(), ids=COUNTED)
def test_names_that_differ_by_a_number_or_an_id_alone_may_be_parts(names: tuple[str, ...]) -> None:
    found = groups(*(f"lake/t/{name}" for name in names), "lake/t/other.csv", "lake/t/other.orc")
    assert {found[f"lake/t/{name}"].may_be_part_of for name in names} == {"lake/t"}
    assert found["lake/t/other.csv"].may_be_part_of is None


SAID = {
    "months": ("flights_2013-01.parquet", "flights_2013-02.parquet"),
    "months, the year last": ("flights_01-2013.csv", "flights_02-2013.csv"),
    "years": ("orders_2013.csv", "orders_2020.csv"),
    "quarters": ("sales_2013_Q1.csv", "sales_2013_Q2.csv"),
    "quarters before the year": ("1q2013.csv", "2q2013.csv"),
    "weeks": ("sales_2013-W05.csv", "sales_2013-W06.csv"),
    "words of time": ("sales_week_5.csv", "sales_week_6.csv"),
    "words": ("orders_DE.csv", "orders_FR.csv"),
    "words and one number": ("orders_DE_1.csv", "orders_FR_1.csv"),
    "versions": ("orders_v1.csv", "orders_v2.csv"),
    "versions with a dot": ("model_v1.2.csv", "model_v1.3.csv"),
    "versions in a word": ("OrdersV1.csv", "OrdersV2.csv"),
    "types": ("ids_int32.csv", "ids_int64.csv"),
    "snapshots": ("snapshot_1.csv", "snapshot_2.csv"),
    "backups of moments": ("backup_20240105_120000.csv", "backup_20240106_120000.csv"),
    "a browser's copies": ("orders.csv", "orders (1).csv", "orders (2).csv"),
    "a desktop's copies": ("orders.csv", "orders - Copy.csv", "orders - Copy (2).csv"),
    "languages": ("wiki_aa.csv", "wiki_ab.csv", "wiki_de.csv", "wiki_fr.csv", "wiki_zu.csv"),
    "one with a number": ("orders.csv", "orders_7.csv"),
    "one with a number, glued": ("orders.csv", "orders1.csv"),
    "versions beside the first": ("orders.csv", "orders_v2.csv", "orders_v3.csv"),
    "years beside all": ("orders.csv", "orders_2013.csv", "orders_2014.csv"),
    "countries in hex letters": ("be.csv", "de.csv", "ca.csv", "ad.csv", "ae.csv"),
    "quarters of two letters": ("q1.csv", "q2.csv", "q3.csv", "q4.csv"),
    "words of one length": ("orders_north.csv", "orders_south.csv"),
    "words that end in a number": ("orders_north1.csv", "orders_south1.csv"),
    "months of short years": ("orders_jan24.csv", "orders_feb24.csv"),
    "years beside a word": ("orders_2013.csv", "orders_2014.csv", "orders_cafe.csv"),
    "a 2 for to": ("sales_b2b.csv", "sales_b2c.csv", "sales_c2c.csv"),
    "from one language to another": ("texts_en2de.csv", "texts_de2en.csv"),
    "two in hex": ("orders-a1.csv", "orders-b7.csv"),
}


@pytest.mark.parametrize("names", SAID.values(), ids=SAID)
def test_names_that_say_something_are_tables(names: tuple[str, ...]) -> None:
    found = groups(*(f"lake/t/{name}" for name in names))
    assert found.keys() == {f"lake/t/{name}" for name in names}
    assert {(group.may_be_part_of, group.must_keep) for group in found.values()} == {(None, None)}


EDITIONS = {"week", "float", "decimal", "uint", "backup"}
STEMS = st.from_regex(r"[a-uw-z]{1,3}[g-l][a-z]{0,6}", fullmatch=True).filter(
    lambda word: word not in EDITIONS
)
GAPS = st.sampled_from(["", "-", "_", ".", " ", "-part-", "_n"])


@given(
    STEMS,
    GAPS,
    st.lists(st.integers(0, 1899), min_size=2, max_size=9, unique=True),
    st.integers(1, 9),
    st.booleans(),
)
def test_counters_of_any_width_say_nothing(
    word: str, gap: str, counters: list[int], width: int, is_last: bool
) -> None:
    made = [f"{count:0{width}}" for count in counters]
    names = [f"{word}{gap}{n}.csv" if is_last else f"{n}{gap or '-'}{word}.csv" for n in made]
    assert NameKind.TELLING not in kinds(*names)


@given(STEMS, GAPS, st.lists(st.uuids(), min_size=2, max_size=5, unique=True))
def test_ids_say_nothing(word: str, gap: str, ids: list[object]) -> None:
    assert NameKind.TELLING not in kinds(*(f"{word}{gap or '-'}{each}.csv" for each in ids))


DAYS = st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31))


@given(
    STEMS,
    st.sampled_from(["-", "_", ".", " "]),
    st.sampled_from(["%Y", "%Y-%m", "%Y_%m", "%Y%m", "%Y%m%d", "%Y-%m-%d", "%m-%Y", "%d.%m.%Y"]),
    st.lists(DAYS, min_size=1, max_size=9),
)
def test_dates_say_something(word: str, gap: str, form: str, days: list[datetime.date]) -> None:
    names = {f"{word}{gap}{day.strftime(form)}.csv" for day in days}
    assert kinds(*names) == {NameKind.TELLING}


def test_folders_with_numbers_for_names_that_hold_one_table_each_may_be_parts() -> None:
    for paths in (
        ("t/1/data.parquet", "t/2/data.parquet"),
        ("t/sub0/part-00000.parquet", "t/sub1/part-00000.parquet", "t/sub1/part-00001.parquet"),
        ("t/0/000000_0.parquet", "t/1/000000_0.parquet"),
        ("t/run-1/k=1/a.parquet", "t/run-2/k=1/a.parquet"),
        ("t/1/a_1.parquet", "t/1/a_2.parquet", "t/2/a_3.parquet"),
        ("t/a1/x.parquet", "t/b7/x.parquet", "t/0c/x.parquet", "t/1f/x.parquet"),
        ("t/00/x.parquet", "t/5a/x.parquet", "t/a5/x.parquet", "t/ff/x.parquet"),
        ("t/run-4f7k/k=1/a.parquet", "t/run-9x2m/k=1/a.parquet"),
    ):
        found = groups(*paths, "other.parquet")
        whole = {group.may_be_part_of for name, group in found.items() if name != "other.parquet"}
        assert (whole, found["other.parquet"].may_be_part_of) == ({"t"}, None)


def test_what_a_machine_laid_out_by_the_hour_may_be_parts() -> None:
    name = "s-1-2024-01-0{}-1{}-00-00-7f3a2b1c-1111-2222-3333-44445555666{}.parquet"
    firehose = [f"t/2024/01/0{n}/1{n}/{name.format(n, n, n)}" for n in range(1, 4)]
    captured = [f"hub/0/2024/01/05/10/{n}/15.avro" for n in range(1, 4)]
    for paths in (firehose, captured):
        assert None not in {group.may_be_part_of for group in groups(*paths).values()}


def test_folders_that_say_something_or_hold_several_tables_are_no_parts() -> None:
    for paths in (
        ("2013/flights.parquet", "2014/flights.parquet"),
        ("2013/01/flights.parquet", "2013/02/flights.parquet", "2013/02/05/flights.parquet"),
        ("v1/orders.parquet", "v2/orders.parquet"),
        ("DE/orders.parquet", "FR/orders.parquet", "BE/orders.parquet"),
        ("q1/orders.parquet", "q2/orders.parquet"),
        ("team1/orders.csv", "team1/users.csv", "team2/orders.csv", "team2/users.csv"),
        ("1/orders.csv", "2/users.csv"),
        ("1/_delta_log/0.json", "2/_delta_log/0.json"),
    ):
        assert {group.may_be_part_of for group in groups(*paths).values()} == {None}


def test_tables_below_a_jobs_marker_may_be_parts_but_not_below_their_own() -> None:
    found = groups(
        *("u/_SUCCESS", "u/a/part-0.parquet", "u/b/part-0.parquet"),
        *("u/c/_SUCCESS", "u/c/part-0.parquet", "u/d/_delta_log/0.json", "v/e.parquet"),
    )
    assert {name: group.may_be_part_of for name, group in found.items()} == {
        **{"u/a": "u", "u/b": "u", "u/c": "u/c"},
        **{"u/d": None, "v/e.parquet": None},
    }


def test_a_file_beside_or_below_folders_of_partitions_that_are_no_table_is_kept() -> None:
    found = groups("t/k=1/a.parquet", "t/k=2/j=1/a.parquet", "t/loose.parquet", "t/notes.csv")
    assert found["t/loose.parquet"].must_keep is not None
    assert found["t/notes.csv"].must_keep is None
    deep = groups("t/k=1/x/a.parquet", "t/k=2/y/b.parquet")
    assert all(group.must_keep for group in deep.values())
    (ruled,) = groups("t/k=1/x/a.parquet", rules=(TableRule(files="t/*"),)).values()
    assert ruled.must_keep is None


LAYOUTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "counted": (("t/tbl_1.parquet", "t/tbl_2.parquet"), ("t",)),
    "split": (("t/xaa.parquet", "t/xab.parquet"), ("t",)),
    "folders": (("t/1/data.parquet", "t/2/data.parquet"), ("t",)),
    "folders of parts": (("t/s0/part-0.parquet", "t/s1/part-0.parquet"), ("t",)),
    "a marker": (("t/a/part-0.parquet", "t/b/part-0.parquet", "t/_SUCCESS"), ("t",)),
    "the lake": (("x1.parquet", "x2.parquet"), (".",)),
}


@pytest.mark.parametrize("each", [False, True], ids=["one table", "one each"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_settings_that_a_kept_table_names_settle_it(
    tmp_path: Path, layout: str, each: bool
) -> None:
    paths, one = LAYOUTS[layout]
    for number, path in enumerate(paths):
        if path.endswith(".parquet"):
            put(tmp_path, path, ROWS.slice(20 * number, 30))
        else:
            (tmp_path / path).touch()
    before = tables(tmp_path)
    told = [str(table.must_keep).partition("settle it: ")[2] for table in before.values()]
    assert all(told)
    rules = []
    for line in told:
        first, _, second = line.removeprefix("[[table]] ").partition(" for one table, or ")
        key, _, pattern = (second.rpartition(" for one ")[0] if each else first).partition(" = ")
        rules.append(TableRule(**{key: json.loads(pattern)}))
    after = groups(*(path for path in paths if "_SUCCESS" not in path), rules=tuple(rules))
    assert {name or "." for name in after} == set(before if each else one)
    left = [group for group in after.values() if not group.is_settled]
    assert {(group.must_keep, group.may_be_part_of) for group in left} <= {(None, None)}


def test_unrelated_columns_are_no_parts_of_one_table(tmp_path: Path) -> None:
    put(tmp_path, "t/tbl_1.parquet", ROWS)
    put(tmp_path, "t/tbl_2.parquet", ROWS.rename_columns(["other", "columns"]))
    assert {table.must_keep for table in tables(tmp_path).values()} == {None}


def test_text_parts_without_an_ending_are_named_as_left_out() -> None:
    files = ("w/_SUCCESS", "w/part-00000", "w/part-00001", "README")
    skipped = group_files(Listing(tuple(FileInfo(path, 1, "1") for path in files))).skipped
    (told,) = (reason for reason in skipped if "without an ending" in reason)
    assert "in w:" in told
    assert skipped[told] == 2
    assert skipped["no data file by its name"] == 1


NAMES: dict[str, Callable[[int], str]] = {
    "numbers": "t/{}.parquet".format,
    "counters": "t/orders_{:05}.parquet".format,
    "dates": lambda n: f"t/{1900 + n // 336}{n // 28 % 12 + 1:02}{n % 28 + 1:02}.parquet",
    "folders": "t/{}/data.parquet".format,
    "short ids": lambda n: f"t/run-{n:04}".translate(str.maketrans("1357", "kxqz")) + ".csv",
    "hex folders": "t/{:04x}/data.parquet".format,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_work_to_judge_names_grows_with_their_number_alone(name: Callable[[int], str]) -> None:
    def work(numbers: range) -> int:
        listing = Listing(tuple(FileInfo(name(number), 1, "1") for number in numbers))
        return lines_run(lambda: group_files(listing))

    # Names that were not met before, as some are remembered. By the square it were 100 times.
    assert work(range(1_000, 3_000)) < 12 * work(range(200))


@pytest.mark.parametrize(
    ("paths", "rule", "kept"),
    [
        ([f"t/tbl_{n}.parquet" for n in range(4)], "t/tbl_[012].parquet", {"t/tbl_3.parquet"}),
        (["t/tbl_1.parquet", "t/tbl_2.parquet"], "t/tbl_1.parquet", {"t/tbl_2.parquet"}),
        ([f"t/sub{n}/x.parquet" for n in range(2)], "t/sub0/*.parquet", {"t/sub1/x.parquet"}),
        (["t/_SUCCESS", "t/DE.parquet", "t/FR.parquet"], "t/DE.parquet", {"t/FR.parquet"}),
        (
            [f"t/part-0000{n}.parquet" for n in range(3)],
            "t/part-00000.parquet",
            {"t", "t/part-00000.parquet"},
        ),
    ],
)
def test_a_rule_for_some_parts_leaves_the_others_in_doubt(
    tmp_path: Path, paths: list[str], rule: str, kept: set[str]
) -> None:
    for number, path in enumerate(paths):
        if path.endswith("_SUCCESS"):
            (tmp_path / "t").mkdir()
            (tmp_path / path).touch()
        else:
            put(tmp_path, path, ROWS.slice(20 * number, 30))
    found = tables(tmp_path, Settings(tables=(TableRule(files=rule),)))
    assert {name for name, table in found.items() if table.must_keep} == kept
