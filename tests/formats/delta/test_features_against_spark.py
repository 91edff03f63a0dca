"""Tables with features of Delta's protocol, written by Spark: r2d2 reads what Spark reads."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from r2d2.errors import IneligibleTableError, TableError, UnreadableTableError

pytestmark = pytest.mark.spark

Sql = Callable[[str], Any]
Setting = Callable[[str, str], None]
Check = Callable[[str], pa.Table]
DELETION_VECTORS = "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
BY_NAME = "TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"


def vectors(lake: Any, table: str) -> list[dict[str, Any]]:
    """The deletion vectors of all adds in the log."""
    adds = lake.actions(table, "add")
    return [add["deletionVector"] for add in adds if add.get("deletionVector")]


def test_deleted_rows_stay_deleted(sql: Sql, lake: Any, check: Check) -> None:
    sql(f"CREATE TABLE {{t}} (a bigint, b string) USING delta {DELETION_VECTORS}")
    sql("INSERT INTO {t} SELECT id, concat('v', id) FROM range(0, 1000, 1, 1)")
    sql("DELETE FROM {t} WHERE a % 7 = 3")
    sql("UPDATE {t} SET b = 'new' WHERE a BETWEEN 500 AND 510")
    assert vectors(lake, "t")
    assert "deletionVectors" in lake.actions("t", "protocol")[-1]["readerFeatures"]
    assert check("t").num_rows == 1000 - len(range(3, 1000, 7))


def test_every_container_in_many_files_and_partitions(sql: Sql, lake: Any, check: Check) -> None:
    sql(f"CREATE TABLE {{t}} (a bigint, p int) USING delta PARTITIONED BY (p) {DELETION_VECTORS}")
    sql("INSERT INTO {t} SELECT id, id DIV 70000 FROM range(0, 280000, 1, 1)")
    bitmap, runs, array = "a % 2 = 0", "a BETWEEN 75000 AND 139000", "a % 1009 = 1"
    sql(f"DELETE FROM {{t}} WHERE p = 0 AND {bitmap} OR p = 1 AND {runs} OR p = 2 AND {array}")
    assert {vector["storageType"] for vector in vectors(lake, "t")} == {"u"}
    assert len({vector["offset"] for vector in vectors(lake, "t")}) == 3
    sql("DELETE FROM {t} WHERE a % 1009 = 2 OR p = 3")
    check("t")


def test_mapped_columns_are_read_by_name(sql: Sql, lake: Any, check: Check) -> None:
    sql(f"CREATE TABLE {{t}} (a int, b string, c double) USING delta {BY_NAME}")
    sql("INSERT INTO {t} VALUES (1, 'x', 1.5), (2, NULL, 2.5)")
    sql("ALTER TABLE {t} RENAME COLUMN a TO z")
    sql("ALTER TABLE {t} DROP COLUMN b")
    sql("ALTER TABLE {t} ADD COLUMN b string")
    sql("INSERT INTO {t} VALUES (3, 3.5, 'y')")
    assert lake.actions("t", "metaData")[-1]["configuration"]["delta.columnMapping.mode"] == "name"
    read = check("t")
    assert sorted(read["b"].to_pylist(), key=str) == [None, None, "y"]


def test_names_swapped_by_renaming_are_not_mixed_up(sql: Sql, lake: Any, check: Check) -> None:
    sql("CREATE TABLE {t} (a int, b int, s struct<x: int, y: int>) USING delta")
    sql("INSERT INTO {t} VALUES (1, 2, struct(3, 4))")
    sql("ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    for old, new in (("a", "tmp"), ("b", "a"), ("tmp", "b"), ("s.x", "tmp"), ("s.y", "x")):
        sql(f"ALTER TABLE {{t}} RENAME COLUMN {old} TO {new}")
    sql("ALTER TABLE {t} RENAME COLUMN s.tmp TO y")
    sql("INSERT INTO {t} VALUES (10, 20, struct(30, 40))")
    assert {"b": 1, "a": 2, "s": {"y": 3, "x": 4}} in check("t").to_pylist()


def test_mapped_names_may_hold_any_character(sql: Sql, lake: Any, check: Check) -> None:
    sql(
        f"CREATE TABLE {{t}} (`a b,;{{}}()=` int, `x.y` string, `p q` int) "
        f"USING delta PARTITIONED BY (`p q`) {BY_NAME}"
    )
    sql("INSERT INTO {t} VALUES (1, 'x', 7), (2, 'y', NULL)")
    sql("ALTER TABLE {t} RENAME COLUMN `p q` TO `r.s`")
    check("t")


def test_nested_mapped_columns(sql: Sql, lake: Any, check: Check) -> None:
    nested = "s struct<x: int, l: array<struct<k: string, v: int>>>, m map<string, struct<q: int>>"
    sql(f"CREATE TABLE {{t}} (id int, {nested}) USING delta {BY_NAME}")
    value = "struct({0}, array(struct('k', {0}), NULL)), map('m', struct({0}))"
    sql(f"INSERT INTO {{t}} VALUES (1, {value.format(1)}), (2, NULL, NULL)")
    sql("ALTER TABLE {t} RENAME COLUMN s.l.element.v TO w")
    sql("ALTER TABLE {t} RENAME COLUMN m.value.q TO r")
    sql("ALTER TABLE {t} DROP COLUMN s.x")
    sql("ALTER TABLE {t} ADD COLUMNS (s.n date, s.l.element.e double)")
    sql(
        "INSERT INTO {t} SELECT 3, struct(array(struct('a', 5, 0.5D)), date'2024-01-01'), "
        "map('z', struct(9))"
    )
    check("t")


def test_mapped_columns_are_read_by_id(sql: Sql, lake: Any, check: Check) -> None:
    sql("""CREATE TABLE {t} (a int, s struct<x: int, y: array<struct<z: int>>>, p int)
        USING delta PARTITIONED BY (p) TBLPROPERTIES ('delta.columnMapping.mode' = 'id',
        'delta.feature.timestampNtz' = 'supported')""")
    sql("INSERT INTO {t} VALUES (1, struct(1, array(struct(5))), 8)")
    for old, new in (("a", "b"), ("s.y.element.z", "w"), ("p", "q")):
        sql(f"ALTER TABLE {{t}} RENAME COLUMN {old} TO {new}")
    sql("ALTER TABLE {t} ADD COLUMN a int")
    sql("INSERT INTO {t} VALUES (2, struct(2, array(struct(6), NULL)), NULL, 3)")
    assert "columnMapping" in lake.actions("t", "protocol")[-1]["readerFeatures"]
    assert lake.actions("t", "metaData")[-1]["configuration"]["delta.columnMapping.mode"] == "id"
    check("t")


def test_timestamps_in_every_year_and_encoding(
    setting: Setting, sql: Sql, lake: Any, check: Check
) -> None:
    sql("""CREATE TABLE {t} (t timestamp, n timestamp_ntz,
        s struct<l: array<timestamp>, m: map<int, timestamp_ntz>>) USING delta""")
    texts = ("0001-01-01 00:00:00", "1582-10-10 01:02:03", "9999-12-31 23:59:59.999999")
    value = "timestamp'{0}', timestamp_ntz'{0}', struct(array(timestamp'{0}', NULL), "
    value += "map(1, timestamp_ntz'{0}'))"
    for kind in ("INT96", "TIMESTAMP_MICROS", "TIMESTAMP_MILLIS"):
        setting("spark.sql.parquet.outputTimestampType", kind)
        sql("INSERT INTO {t} SELECT " + " UNION ALL SELECT ".join(map(value.format, texts)))
    assert "timestampNtz" in lake.actions("t", "protocol")[-1]["readerFeatures"]
    types = check("t").schema.types
    assert types[:2] == [pa.timestamp("us", "UTC"), pa.timestamp("us")]


@pytest.mark.parametrize("kind", ["INT96", "TIMESTAMP_MICROS"])
def test_instants_of_the_julian_calendar_are_refused(
    setting: Setting, sql: Sql, lake: Any, check: Check, kind: str
) -> None:
    setting("spark.sql.parquet.outputTimestampType", kind)
    setting("spark.sql.parquet.int96RebaseModeInWrite", "LEGACY")
    setting("spark.sql.parquet.datetimeRebaseModeInWrite", "LEGACY")
    sql("CREATE TABLE {t} (t timestamp) USING delta")
    sql("INSERT INTO {t} VALUES (timestamp'1950-01-01 00:00:00'), (NULL)")
    check("t")
    sql("INSERT INTO {t} VALUES (timestamp'1500-01-01 00:00:00')")
    with pytest.raises(TableError, match="Julian"):
        lake.read("t")


WIDENINGS = [
    ("tinyint", "127", "smallint", "-32768"),
    ("tinyint", "-128", "bigint", "9223372036854775807"),
    ("smallint", "-32768", "int", "2147483647"),
    ("int", "-2147483648", "bigint", "-9223372036854775808"),
    ("int", "2147483647", "double", "0.1D"),
    ("int", "-2147483648", "decimal(12,2)", "0.01"),
    ("bigint", "9223372036854775807", "decimal(20,0)", "99999999999999999999"),
    ("float", "float('0.1')", "double", "0.1D"),
    ("float", "float('NaN')", "double", "double('-0.0')"),
    ("decimal(5,2)", "-999.99", "decimal(12,4)", "0.0001"),
    ("decimal(18,2)", "-9999999999999999.99", "decimal(38,10)", "0.0000000001"),
    ("date", "date'1582-10-10'", "timestamp_ntz", "timestamp_ntz'2024-01-01 01:02:03.000004'"),
]


WIDENING = "TBLPROPERTIES ('delta.enableTypeWidening' = 'true', "
WIDENING += "'delta.feature.timestampNtz' = 'supported')"


@pytest.mark.parametrize("partitioned", [False, True])
def test_widened_types_keep_their_values(
    sql: Sql, lake: Any, check: Check, partitioned: bool
) -> None:
    names = [f"c{number}" for number in range(len(WIDENINGS))]
    old = ", ".join(f"{name} {w[0]}" for name, w in zip(names, WIDENINGS, strict=True))
    by = f"PARTITIONED BY ({', '.join(names)})" if partitioned else ""
    sql(f"CREATE TABLE {{t}} (v int, {old}) USING delta {by} {WIDENING}")
    sql("INSERT INTO {t} SELECT 1, " + ", ".join(f"cast({w[1]} AS {w[0]})" for w in WIDENINGS))
    for name, widening in zip(names, WIDENINGS, strict=True):
        sql(f"ALTER TABLE {{t}} ALTER COLUMN {name} TYPE {widening[2]}")
    sql("INSERT INTO {t} SELECT 2, " + ", ".join(f"cast({w[3]} AS {w[2]})" for w in WIDENINGS))
    assert "typeWidening" in lake.actions("t", "protocol")[-1]["readerFeatures"]
    assert "delta.typeChanges" in lake.actions("t", "metaData")[-1]["schemaString"]
    check("t")


def test_types_widened_inside_nested_columns(sql: Sql, lake: Any, check: Check) -> None:
    sql(f"""CREATE TABLE {{t}} (s struct<x: int>, l array<struct<y: date>>, m map<int, smallint>)
        USING delta {WIDENING}""")
    sql("INSERT INTO {t} SELECT struct(7), array(struct(date'1582-10-10'), NULL), map(1, 2S)")
    for part, type_ in (
        ("s.x", "double"),
        ("l.element.y", "timestamp_ntz"),
        ("m.key", "bigint"),
        ("m.value", "decimal(11,1)"),
    ):
        sql(f"ALTER TABLE {{t}} ALTER COLUMN {part} TYPE {type_}")
    sql("INSERT INTO {t} SELECT struct(0.1D), array(), map(9223372036854775807, 0.1BD)")
    check("t")


def test_writer_features_do_not_change_what_is_read(sql: Sql, lake: Any, check: Check) -> None:
    sql(
        "CREATE TABLE {t} (a int, id bigint GENERATED ALWAYS AS IDENTITY, "
        "g int GENERATED ALWAYS AS (a * 2), d int DEFAULT 5, c string NOT NULL) "
        "USING delta CLUSTER BY (a) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true', "
        "'delta.enableRowTracking' = 'true', 'delta.enableInCommitTimestamps' = 'true', "
        "'delta.feature.allowColumnDefaults' = 'supported', 'delta.appendOnly' = 'false', "
        "'delta.enableDeletionVectors' = 'true', 'delta.columnMapping.mode' = 'name', "
        "'delta.enableIcebergCompatV1' = 'false')"
    )
    sql("ALTER TABLE {t} ADD CONSTRAINT positive CHECK (a > 0)")
    sql("INSERT INTO {t} (a, c) SELECT id + 1, 'x' FROM range(100)")
    sql("UPDATE {t} SET c = 'y' WHERE a < 5")
    sql("DELETE FROM {t} WHERE a > 90")
    features = set(lake.actions("t", "protocol")[-1]["writerFeatures"])
    assert {
        "clustering",
        "rowTracking",
        "identityColumns",
        "changeDataFeed",
        "checkConstraints",
        "inCommitTimestamp",
        "domainMetadata",
        "generatedColumns",
    } <= features
    assert check("t").num_rows == 90


def test_char_is_padded_as_sql_has_it(sql: Sql, lake: Any, check: Check) -> None:
    sql("CREATE TABLE {t} (c char(4), v varchar(4), p char(3)) USING delta PARTITIONED BY (p)")
    sql("INSERT INTO {t} VALUES ('ab', 'x', 'ü'), ('abcd', 'yz', NULL), (NULL, NULL, 'abc')")
    assert "ab  " in check("t")["c"].to_pylist()


def test_a_void_column_is_all_null(sql: Sql, lake: Any, check: Check) -> None:
    sql("CREATE TABLE {t} USING delta AS SELECT 1 AS a, NULL AS b, struct(NULL AS x, 1 AS y) AS s")
    assert check("t").schema.field("b").type == pa.null()


@pytest.mark.parametrize(
    ("column", "error"),
    [("v variant", UnreadableTableError), ("c array<char(4)>", IneligibleTableError)],
)
def test_columns_without_identity_are_refused_by_name(
    sql: Sql, lake: Any, column: str, error: type[Exception]
) -> None:
    sql(f"CREATE TABLE {{t}} (a int, {column}) USING delta")
    with pytest.raises(error, match=r"variantType|CHAR"):
        lake.inspect("t")


def test_a_collation_is_refused(setting: Setting, sql: Sql, lake: Any) -> None:
    setting("spark.databricks.delta.schema.typeCheck.enabled", "false")
    sql("CREATE TABLE {t} (a int, s string COLLATE UTF8_LCASE) USING delta")
    assert "__COLLATIONS" in lake.actions("t", "metaData")[-1]["schemaString"]
    with pytest.raises(IneligibleTableError, match=r"s: collation .*UTF8_LCASE"):
        lake.inspect("t")
