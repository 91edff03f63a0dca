"""The rows and columns that teams take from a table, and what they make of them."""

import pyarrow as pa
import pyarrow.compute as pc

ROUTE = ("carrier", "origin", "dest")


def first_quarter(table: pa.Table) -> pa.Table:
    """The rows of January to March."""
    return table.filter(pc.less_equal(table["month"], 3)).combine_chunks()


def of_month(table: pa.Table, month: int) -> pa.Table:
    """The rows of one month."""
    return table.filter(pc.equal(table["month"], month))


def routes(flights: pa.Table) -> pa.Table:
    """Each carrier's origin and destination once, in order."""
    once = flights.select(ROUTE).group_by(ROUTE).aggregate([])
    return once.sort_by([(name, "ascending") for name in ROUTE])


def with_cell(table: pa.Table, row: int, name: str, value: object) -> pa.Table:
    """The table with one cell changed."""
    at = table.schema.get_field_index(name)
    values = table[name].to_pylist()
    if values[row] == value:
        raise SystemExit(f"{name} of row {row} is {value!r} already")
    values[row] = value
    return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.types[at]))


def corrected_weather(weather: pa.Table) -> pa.Table:
    """The rows of the Delta table's last version, by Arrow instead of Delta."""
    wrong = pc.and_(pc.is_null(weather["pressure"]), pc.greater(weather["precip"], 0.2))
    kept = weather.filter(pc.invert(pc.fill_null(wrong, False)))
    visible = pc.if_else(pc.less(kept["visib"], 0.1), 10.0, kept["visib"])
    return kept.set_column(kept.schema.get_field_index("visib"), "visib", visible)


def with_wind(weather: pa.Table) -> pa.Table:
    """Observations with the three wind columns as one struct."""
    parts = [weather[f"wind_{part}"].combine_chunks() for part in ("dir", "speed", "gust")]
    wind = pa.StructArray.from_arrays(parts, ["dir", "speed", "gust"])
    return weather.select(["origin", "time_hour", "temp"]).append_column("wind", wind)


def storms(observations: pa.Table) -> pa.Table:
    """Hours with gusts above 40 mph; of the struct, speed and gust only."""
    wind = observations["wind"].combine_chunks()
    fields = [wind.field("gust"), wind.field("speed")]
    smaller = pa.StructArray.from_arrays(fields, ["gust", "speed"])
    strong = pc.fill_null(pc.greater(fields[0], 40.0), False)
    hours = observations.select(["time_hour", "origin"]).append_column("wind", smaller)
    return hours.filter(strong)
