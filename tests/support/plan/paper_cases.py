"""Writes a small lake of the paper's cases: `python -m tests.support.plan.paper_cases FOLDER`.

chain/   all ⊇ 2024 ⊇ 2024_north: sales of three years, of one, and of one region in it
star/    orders, those of two of the three regions, and those of one year
equal/   customers, three times
ops/     a ledger that must stay, since operations write it (sample_lake/plan.toml says so);
teams/   … and what two teams made of it
"""

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

REGIONS = ("north", "south", "west")
YEARS = ("2023", "2024", "2025")
Row = dict[str, str]


def write(lake: Path) -> None:
    """Writes the lake's 13 CSV files; the same bytes each time."""
    sales = list(_rows("sale", 1200))
    _table(lake / "chain/all.csv", sales)
    _table(lake / "chain/2024.csv", _where(sales, year="2024"))
    _table(lake / "chain/2024_north.csv", _where(sales, year="2024", region="north"))
    orders = list(_rows("order", 300))
    _table(lake / "star/orders.csv", orders)
    for region in REGIONS[:2]:
        _table(lake / f"star/orders_{region}.csv", _where(orders, region=region))
    _table(lake / "star/orders_2024.csv", _where(orders, year="2024"))
    customers = list(_rows("customer", 80))
    for name in ("customers", "customers_backup", "customers_copy"):
        _table(lake / f"equal/{name}.csv", customers)
    ledger = list(_rows("booking", 60))
    _table(lake / "ops/ledger.csv", ledger)
    _table(lake / "teams/ledger.csv", ledger)
    _table(lake / "teams/ledger_2025.csv", _where(ledger, year="2025"))


def _rows(name: str, count: int) -> Iterator[Row]:
    for number in range(count):
        yield {
            name: f"{name}-{number:05}",
            "year": YEARS[number * 7 % 11 % 3],
            "region": REGIONS[number * 5 % 13 % 3],
            "amount": f"{number * 7919 % 10_000 / 100:.2f}",
        }


def _where(rows: Iterable[Row], **values: str) -> list[Row]:
    return [row for row in rows if row.items() >= values.items()]


def _table(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
