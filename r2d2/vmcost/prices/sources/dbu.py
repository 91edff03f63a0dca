"""DBU rows: what a node of Azure Databricks takes an hour, at one dollar a DBU."""

from collections.abc import Iterator
from fractions import Fraction

from r2d2.vmcost.model import Price, PriceKind
from r2d2.vmcost.prices.price_list import EVERYWHERE
from tools.prices.packages import Packages, release_day


def dbu_rows(packages: Packages) -> Iterator[Price]:
    """The DBUs an hour of the catalog's types, the same in all regions, without Photon."""
    source = packages.source(
        "spark-rapids-user-tools", release_day(packages.version("spark-rapids-user-tools"))
    )
    found = packages.json("spark_rapids_pytools", "resources/premium-databricks-azure-catalog.json")
    for name, row in found["Jobs Compute"]["Instances"].items():
        yield Price(
            "azure",
            EVERYWHERE,
            f"Standard_{name}",
            None,
            None,
            Fraction(row["DBUCount"]),
            PriceKind.DBU,
            source.package,
            source.version,
            source.as_of,
        )
