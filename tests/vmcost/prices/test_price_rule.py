"""The rule by which prices become rows: two sources agree, or one is on its family's line."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from r2d2.vmcost.model import Price, PriceKind
from r2d2.vmcost.prices import parse_prices
from tools.prices.azure import family
from tools.prices.build import csv_text, family_in_region
from tools.prices.packages import release_day
from tools.prices.rule import Quote, Source, Specs, Verdict, judged, per_vcpu

OLD = Source("old", "1", date(2025, 3, 2))
NEW = Source("new", "2", date(2026, 9, 6))


def quote(
    sku: str,
    usd: str,
    vcpu: int | None = 4,
    source: Source = OLD,
    name: str = "",
    lowest: bool = False,
) -> Quote:
    specs = Specs(vcpu, 1024) if vcpu else None
    price = Decimal(usd)
    kind = PriceKind.ON_DEMAND
    value = per_vcpu(price, specs)
    return Quote("aws", "here", sku, specs, price, kind, source, name, value, lowest)


def verdict(*quotes: Quote) -> Verdict:
    return judged(quotes, family_in_region)


def reasons(*quotes: Quote) -> dict[str, int]:
    return {reason.removeprefix("aws: "): n for reason, n in verdict(*quotes).counts.items()}


def test_a_price_that_two_sources_share_is_carried_and_dated_by_the_newer() -> None:
    found = verdict(quote("a", "1.000"), quote("a", "1.004", source=NEW))
    row = found.rows[0]
    assert (float(row.usd_per_hour), row.as_of) == (1.004, NEW.as_of)
    assert (row.source, row.source_version) == ("new+old", "2+1")


def test_prices_that_differ_by_more_than_half_a_percent_are_not_carried() -> None:
    found = reasons(quote("a", "1.000"), quote("a", "1.006", source=NEW))
    assert found == {"refused, sources disagree": 1}


def test_two_tables_of_one_package_are_one_source() -> None:
    assert reasons(quote("a", "1"), quote("a", "1")) == {"refused, sources disagree": 1}


def test_a_price_on_its_familys_line_is_carried_and_one_beside_it_is_not() -> None:
    found = verdict(
        quote("a.1", "0.1", 1, name="a"),
        quote("a.2", "0.2", 2, name="a"),
        quote("a.4", "0.44", 4, name="a"),
        quote("a.8", "0.8", 8, name="a"),
    )
    assert [row.sku for row in found.rows] == ["a.1", "a.2", "a.8"]
    assert found.counts["aws: refused, no second source and on no line"] == 1


@pytest.mark.parametrize("prices", [("0.1", "0.2"), ("0.1", "0.2", "0.4", "1", "3", "9", "16")])
def test_two_types_or_less_than_half_of_them_make_no_line(prices: tuple[str, ...]) -> None:
    quotes = [quote(f"a.{n}", usd, 2**n, name="a") for n, usd in enumerate(prices)]
    assert verdict(*quotes).rows == ()


def test_where_a_source_is_often_too_dear_nothing_may_lie_below_the_line() -> None:
    dear = [quote(f"a.{n}", f"{n * 0.11:.2f}", n, name="a", lowest=True) for n in (1, 2, 4)]
    assert len(verdict(*dear).rows) == 3
    assert verdict(*dear, quote("a.8", "0.8", 8, name="a", lowest=True)).rows == ()


def test_a_spot_price_is_carried_where_its_price_on_demand_is_confirmed() -> None:
    spot = replace(quote("a", "0.3", source=NEW), kind=PriceKind.SPOT)
    confirmed = verdict(quote("a", "1"), quote("a", "1", source=NEW), spot)
    assert [(row.kind, float(row.usd_per_hour)) for row in confirmed.rows] == [
        (PriceKind.ON_DEMAND, 1.0),
        (PriceKind.SPOT, 0.3),
    ]
    assert sum(confirmed.counts.values()) == 2
    assert not verdict(quote("a", "1", source=NEW), spot).rows
    dearer = replace(spot, usd_per_hour=Decimal("1.1"))
    assert len(verdict(quote("a", "1"), quote("a", "1", source=NEW), dearer).rows) == 1


def test_a_missing_price_or_unknown_cores_are_refused() -> None:
    assert reasons(quote("a", "0.0"), quote("b", "1", None)) == {
        "refused, the price is missing (0.0)": 1,
        "refused, no vCPUs and memory are known": 1,
    }


def test_a_family_of_azure_is_its_name_without_the_size() -> None:
    names = ["E8s_v3", "E64is_v3", "DS3_v2", "DS13_v2", "D3_v2", "F8", "NC4as_T4_v3", "M416ms_v2"]
    assert [family(f"Standard_{name}") for name in names] == [
        "Es_v3", "Eis_v3", "DS_v2", "DS1x_v2", "D_v2", "F", "NCas_T4_v3", "Mms_v2",
    ]  # fmt: skip
    assert family("Standard_E16-4s_v3") == family("basica0") == ""


def test_a_release_by_year_and_month_has_its_first_day() -> None:
    assert release_day("26.8.4") == date(2026, 8, 1)


def test_the_list_is_written_as_it_is_read() -> None:
    rows = verdict(quote("b", "1.10"), quote("b", "1.10", source=NEW)).rows
    text = csv_text(rows)
    assert text.splitlines()[1] == "aws,here,b,4,1024,1.1,on_demand,new+old,2+1,2026-09-06"
    read: tuple[Price, ...] = parse_prices(text, "list").rows
    assert read == rows
