"""Each kind of recipe, and beside each the near-misses that must not get it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa

from tests.support.plan.kinds_tables import (
    Holds,
    base,
    changed,
    first_days,
    is_in,
    less_one,
    others,
    plus,
    put,
    shuffled,
    where,
    with_numbers,
)

NAN = float("nan")
COLUMNAR, ALL = ("parquet", "delta"), ("parquet", "delta", "csv")
Salts = Iterator[int]
Chosen = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True, slots=True)
class Case:
    """The tables of one case, and what a plan is to say of the child.

    `kind` is the recipe where whole edges are known, `near` where near-containment is too; None
    where the child is to stay. `atoms` are the kinds of a select's atoms, in order of name.
    """

    name: str
    parents: Mapping[str, pa.Table]
    child: pa.Table
    kind: str | None
    near: str | None
    atoms: tuple[str, ...] = ()
    formats: tuple[str, ...] = ALL


def cases(salts: Salts) -> list[Case]:
    """All cases, with values of their own each."""
    makers = (projects, repeats, distincts, selects, conjunctions, nulls, nans, rows, unions)
    return list(chain.from_iterable(maker(salts) for maker in makers))


def case(
    name: str,
    whole: pa.Table,
    child: pa.Table,
    kind: str | None,
    near: str | None = "as kind",
    **more: tuple[str, ...],
) -> Case:
    """A case of one parent; near-containment changes nothing where it is not told."""
    return Case(name, {"parent": whole}, child, kind, kind if near == "as kind" else near, **more)


def spoilt(name: str, salts: Salts, choose: Chosen) -> Iterator[Case]:
    """What was chosen from a table with a row more, a row less, a row twice, and a value changed.

    So few rows have too many conditions to be told apart but one by one.
    """
    whole = base(next(salts))
    more = plus(choose(whole), others(whole, choose(whole)).slice(5, 1))
    yield case(f"{name}, one row more", whole, more, "rows")
    whole = base(next(salts))
    yield case(f"{name}, one row less", whole, less_one(choose(whole)), "rows")
    whole = base(next(salts))
    yield case(
        f"{name}, one row twice", whole, plus(choose(whole), choose(whole).slice(2, 1)), "patch"
    )
    whole = base(next(salts))
    yield case(f"{name}, one value changed", whole, changed(choose(whole)), None, "patch")


def projects(salts: Salts) -> Iterator[Case]:
    """Exact copies, other columns."""
    whole = base(next(salts))
    yield case("copy", whole, shuffled(whole), "project")
    whole = base(next(salts))
    yield case("copy, one value changed", whole, changed(whole), None, "patch")
    whole = base(next(salts))
    yield case("copy, one row twice", whole, plus(whole, whole.slice(7, 1)), "patch")
    whole = base(next(salts))
    yield case("copy, a strange row more", whole, plus(whole, base(next(salts), 1)), None, "patch")
    whole = base(next(salts))
    yield case("columns in another order", whole, whole.select(whole.column_names[::-1]), "project")
    whole = base(next(salts))
    named = whole.rename_columns(["id", "note", "day", "flag", "price", "city"])
    yield case("columns under each other's names", whole, named, None)
    whole = base(next(salts))
    yield case("columns dropped", whole, whole.select(["note", "city", "price"]), "project")
    whole = base(next(salts))
    first, second, *rest = whole["price"].to_pylist()
    crossed = put(whole, "price", [second, first, *rest]).select(["note", "city", "price"])
    yield case("columns dropped, two values crossed", whole, crossed, None, "patch")


def repeats(salts: Salts) -> Iterator[Case]:
    """Parents and children with duplicates."""
    whole = base(next(salts))
    twice = plus(whole, whole.slice(0, 40))
    yield case("copy of repeated rows", twice, shuffled(twice), "project")
    whole = base(next(salts))
    twice = plus(whole, whole.slice(0, 40))
    yield case("repeated rows, one of them once", twice, plus(whole, whole.slice(0, 39)), "patch")
    whole = base(next(salts))
    twice = plus(whole, whole.slice(0, 90))
    oslo = where(twice, "city", is_in("Oslo"))
    yield case("equals on repeated rows", twice, oslo, "select", atoms=("equals",))
    whole = base(next(salts))
    oslo = where(whole, "city", is_in("Oslo"))
    once = plus(oslo, where(whole.slice(0, 90), "city", is_in("Oslo")).slice(1))
    yield case("equals on repeated rows, one once", plus(whole, whole.slice(0, 90)), once, "rows")


def distincts(salts: Salts) -> Iterator[Case]:
    """Every row in one to three versions, and what these have in common, once."""

    def versions() -> tuple[pa.Table, pa.Table]:
        whole = base(next(salts))
        rows = plus(whole, whole.slice(0, 90), whole.slice(0, 31))
        return with_numbers(rows), whole.select(["city", "flag", "note"])

    parent, child = versions()
    yield case("distinct", parent, child, "distinct")
    parent, child = versions()
    yield case("distinct, one row twice", parent, plus(child, child.slice(5, 1)), "rows")
    parent, child = versions()
    yield case("distinct, one row less", parent, child.slice(1), "distinct")
    parent, child = versions()
    yield case("distinct, one value changed", parent, changed(child), None, "patch")


def selects(salts: Salts) -> Iterator[Case]:
    """Each kind of atom, right and spoilt."""
    wanted: dict[str, tuple[str, Holds]] = {
        "equals": ("city", is_in("Oslo")),
        "in": ("city", is_in("Bern", "Lima", "Rome")),
        "between": ("day", first_days(11)),
        "is_null": ("flag", lambda flag: flag is None),
        "not_null": ("flag", lambda flag: flag is not None),
    }
    for atom, (column, holds) in wanted.items():

        def choose(whole: pa.Table, column: str = column, holds: Holds = holds) -> pa.Table:
            return where(whole, column, holds)

        whole = base(next(salts))
        yield case(atom, whole, shuffled(choose(whole)), "select", atoms=(atom,))
        yield from spoilt(atom, salts, choose)
    large = base(next(salts), 20_000)
    oslo = where(large, "city", is_in("Oslo"))
    yield case(
        "equals, but for the last of 20,000 rows", large, oslo.slice(0, len(oslo) - 1), "rows"
    )


def conjunctions(salts: Salts) -> Iterator[Case]:
    """Two atoms together."""

    def early_in_oslo(whole: pa.Table) -> pa.Table:
        return where(where(whole, "city", is_in("Oslo")), "day", first_days(15))

    def oslo_without_flag(whole: pa.Table) -> pa.Table:
        return where(where(whole, "city", is_in("Oslo")), "flag", lambda flag: flag is None)

    both = {"between": early_in_oslo, "is_null": oslo_without_flag}
    for atom, choose in both.items():
        whole = base(next(salts), 1000)
        yield case(
            f"equals and {atom}",
            whole,
            choose(whole),
            "select",
            atoms=tuple(sorted(("equals", atom))),
        )
        whole = base(next(salts), 1000)
        more = plus(choose(whole), others(whole, choose(whole)).slice(5, 1))
        yield case(f"equals and {atom}, one row more", whole, more, "rows")
        whole = base(next(salts), 1000)
        yield case(f"equals and {atom}, one row less", whole, less_one(choose(whole)), "rows")


def nulls(salts: Salts) -> Iterator[Case]:
    """NULLs in the predicate's column satisfy no comparison; `or NULL` is a second conjunction."""
    whole = base(next(salts))
    named = where(whole, "flag", is_in("a"))
    yield case("equals beside NULLs", whole, named, "select", atoms=("equals",))
    whole = base(next(salts))
    either = where(whole, "flag", lambda flag: flag is None or is_in("a")(flag))
    yield case("equals or NULL", whole, either, "select", atoms=("any_of",))
    whole = base(next(salts))
    days = [None if n % 7 == 0 else day for n, day in enumerate(whole["day"].to_pylist())]
    whole = put(whole, "day", days)
    early = first_days(15)
    range_ = where(whole, "day", lambda day: day is not None and early(day))
    yield case("between beside NULLs", whole, range_, "select", atoms=("between",))
    whole = base(next(salts))
    twice = plus(whole, whole.slice(0, 50))
    yield case("distinct rows with NULLs", twice, whole, "distinct")


def nans(salts: Salts) -> Iterator[Case]:
    """NaN lies in no range, is a condition of its own, and one value among distinct rows."""

    def table() -> pa.Table:
        whole = base(next(salts))
        prices = whole["price"].to_pylist()
        return put(whole, "price", [NAN if n % 6 == 0 else p for n, p in enumerate(prices)])

    def is_low(whole: pa.Table) -> Holds:
        limit = sorted(price for price in whole["price"].to_pylist() if price == price)[50]
        return lambda price: price < limit

    whole = table()
    low = where(whole, "price", is_low(whole))
    yield case("between beside NaN", whole, low, "select", atoms=("between",), formats=COLUMNAR)
    whole = table()
    is_cheap = is_low(whole)
    either = where(whole, "price", lambda price: is_cheap(price) or price != price)
    yield case("between or NaN", whole, either, "select", formats=COLUMNAR)
    whole = table()
    alone = where(whole, "price", lambda price: price != price)
    yield case("NaN alone", whole, alone, "select", formats=COLUMNAR)
    whole = table()
    twice = plus(whole, whole.slice(0, 50))
    yield case("distinct rows with NaN", twice, whole, "distinct", formats=COLUMNAR)


def rows(salts: Salts) -> Iterator[Case]:
    """Rows that nothing tells apart but their hashes."""

    def some(whole: pa.Table) -> pa.Table:
        return whole.filter(pa.array([n * 61 % 97 < 40 for n in range(whole.num_rows)]))

    whole = base(next(salts))
    yield case("rows", whole, some(whole), "rows")
    yield from list(spoilt("rows", salts, some))[2:]
    whole = base(next(salts))
    yield case("rows, a third of them changed", whole, changed(some(whole), 16), None)


def unions(salts: Salts) -> Iterator[Case]:
    """A year and its twelve months: complete, with a row missing, twice, changed."""

    def months(year: pa.Table) -> dict[str, pa.Table]:
        return {f"parent{n:02}": year.slice(10 * n, 10) for n in range(12)}

    year = base(next(salts))
    yield Case("union", months(year), shuffled(year), "union", "union")
    year = base(next(salts))
    lacking = months(year) | {"parent05": year.slice(50, 9)}
    yield Case("union, one row less", lacking, year, None, None)
    year = base(next(salts))
    overlapping = months(year) | {"parent05": year.slice(50, 11)}
    yield Case("union, months overlap", overlapping, year, "union", "union")
    year = base(next(salts))
    twice = months(year) | {"parent05": plus(year.slice(50, 10), year.slice(52, 1))}
    yield Case("union, one row twice", twice, year, "union", "union")
    year = base(next(salts))
    strange = months(year) | {"parent05": changed(year.slice(50, 10))}
    yield Case("union, one value changed", strange, year, None, None)


def several(salts: Salts) -> Iterator[Case]:
    """Rows of two tables, neither of which contains them; with one changed, twice, in neither."""

    def halves(whole: pa.Table) -> dict[str, pa.Table]:
        return {
            "parent1": where(whole, "city", is_in("Lima", "Oslo", "Rome")),
            "parent2": where(whole, "city", is_in("Rome", "Kyiv", "Bern")),
        }

    def of(whole: pa.Table, *cities: str) -> pa.Table:
        return shuffled(plus(*(where(whole, "city", is_in(city)) for city in cities)))

    def named(parents: dict[str, pa.Table]) -> dict[str, pa.Table]:
        texts = ((name, pa.array([name] * len(table))) for name, table in parents.items())
        return {name: parents[name].append_column("source", text) for name, text in texts}

    def both(name: str, parents: dict[str, pa.Table], child: pa.Table, kind: str | None) -> Case:
        return Case(f"several, {name}", parents, child, kind, kind)

    whole = base(next(salts))
    apart = {"parent1": whole.slice(0, 70), "parent2": whole.slice(70)}
    yield both("whole without a column", named(apart), shuffled(whole), "union")
    whole = base(next(salts))
    yield both("two cities", halves(whole), of(whole, "Oslo", "Kyiv"), "union")
    whole = base(next(salts))
    yield both("a city of both", named(halves(whole)), of(whole, "Oslo", "Rome", "Kyiv"), "union")
    whole = base(next(salts))
    yield both("a city twice", halves(whole), of(whole, "Oslo", "Rome", "Rome", "Kyiv"), "union")
    whole = base(next(salts))
    again = halves(whole) | {"parent3": halves(whole)["parent1"]}
    yield both("one of two equals", again, of(whole, "Lima", "Bern"), "union")
    whole = base(next(salts))
    cities = of(whole, "Oslo", "Kyiv")
    yield both("one row twice", halves(whole), plus(cities, cities.slice(3, 1)), None)
    whole = base(next(salts))
    yield both("one value changed", halves(whole), changed(of(whole, "Oslo", "Kyiv")), None)
    whole = base(next(salts))
    flags = put(whole, "flag", [flag or "none" for flag in whole["flag"].to_pylist()])
    yield both("NULLs are others", halves(flags), of(whole, "Oslo", "Kyiv"), None)
    whole = base(next(salts))
    lost = of(whole, "Kyiv").slice(5, 1)
    lacking = halves(whole) | {"parent2": others(halves(whole)["parent2"], lost)}
    yield both("a row in neither", lacking, of(whole, "Oslo", "Kyiv"), None)
