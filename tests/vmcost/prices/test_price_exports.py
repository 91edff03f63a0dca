"""The providers' own exports as price lists: GCP's SKUs, and what no export may do."""

import json
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from r2d2.errors import UsageError
from r2d2.vmcost.model import PriceKind
from r2d2.vmcost.prices import load_prices, parse_prices, prices_csv


def sku(description: str, usd: str, usage: str = "OnDemand", currency: str = "USD") -> object:
    """An SKU as GCP's Cloud Billing catalogue has it."""
    whole, _, part = usd.partition(".")
    price = {"currencyCode": currency, "units": whole, "nanos": int(part.ljust(9, "0"))}
    unit = "h" if "Core" in description else "GiBy.h"
    rates = [{"startUsageAmount": 0, "unitPrice": price}]
    return {
        "name": "services/6F81-5844-456A/skus/0000-0000-0000",
        "skuId": "0000-0000-0000",
        "description": description,
        "category": {"resourceFamily": "Compute", "resourceGroup": "CPU", "usageType": usage},
        "serviceRegions": ["us-central1", "us-west1"],
        "pricingInfo": [
            {
                "effectiveTime": "2026-09-03T21:00:00.000Z",
                "pricingExpression": {"usageUnit": unit, "tieredRates": rates},
            }
        ],
    }


def test_gcps_catalogue_of_skus_prices_types_by_their_vcpus_and_memory(tmp_path: Path) -> None:
    skus = [
        sku("C3 Instance Core running in Americas", "0.03398"),
        sku("C3 Instance Ram running in Americas", "0.00456"),
        sku("Spot Preemptible C3 Instance Core running in Iowa", "0.01", "Preemptible"),
        sku("Spot Preemptible C3 Instance Ram running in Iowa", "0.001", "Preemptible"),
        sku("C3 Custom Instance Core running in Americas", "9.0"),
        sku("Commitment v1: C3 Cpu in Americas for 1 Year", "9.0", "Commit1Yr"),
        sku("T2D AMD Instance Core running in Americas", "0.02"),
        sku("N2D AMD Instance Core running in Americas", "0.02"),
        sku("N2D AMD Instance Ram running in Americas", "0.003"),
        sku("Compute optimized Core running in Americas", "0.03"),
        sku("Compute optimized Ram running in Americas", "0.004"),
    ]
    path = tmp_path / "skus.json"
    path.write_text(json.dumps({"skus": skus, "nextPageToken": ""}))
    found = load_prices(path)
    c3 = found.price("gcp", "us-west1", "c3-standard-4")
    assert (c3.vcpu, c3.mem_mib, c3.as_of) == (4, 16_384, date(2026, 9, 3))
    assert c3.usd_per_hour == 4 * Fraction("0.03398") + 16 * Fraction("0.00456")
    spot = found.price("gcp", "us-central1", "c3-highmem-8", PriceKind.SPOT)
    assert spot.usd_per_hour == 8 * Fraction("0.01") + 64 * Fraction("0.001")
    n2d = found.price("gcp", "us-central1", "n2d-highmem-4")
    assert n2d.usd_per_hour == 4 * Fraction("0.02") + 32 * Fraction("0.003")
    c2 = found.price("gcp", "us-central1", "c2-standard-8")
    assert c2.usd_per_hour == 8 * Fraction("0.03") + 32 * Fraction("0.004")
    assert not [row for row in found.rows if row.sku.startswith("t2d")]
    assert parse_prices(prices_csv(found.rows), "again").rows == found.rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([sku("C3 Instance Core running in Iowa", "0.1", currency="EUR")], "in EUR: export .*USD"),
        ([{"skuId": "1", "pricingInfo": []}], "not GCP's catalogue of SKUs: KeyError"),
        ({"Items": [{"currencyCode": "EUR"}]}, "prices in EUR: export them in USD"),
        ({"Items": ["none"]}, "not Azure's retail prices"),
        ([], "no price of a Linux VM by the hour in it"),
    ],
)
def test_an_export_that_cannot_be_used_is_refused(
    tmp_path: Path, content: object, message: str
) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=message):
        load_prices(path)


def test_a_type_of_azure_that_is_not_known_has_the_vcpus_of_its_name(tmp_path: Path) -> None:
    item = {
        "currencyCode": "USD", "armRegionName": "westus", "retailPrice": 0.5,
        "unitOfMeasure": "1 Hour", "type": "Consumption", "productName": "Virtual Machines",
        "skuName": "x", "effectiveStartDate": "2026-09-01T00:00:00Z",
    }  # fmt: skip
    names = {"Standard_E16s_v9": 16, "Standard_E16-4s_v9": 4, "Standard_M128ms": None}
    path = tmp_path / "prices.json"
    path.write_text(json.dumps([item | {"armSkuName": name} for name in names]))
    found = load_prices(path)
    assert {row.sku: row.vcpu for row in found.rows} == names
    assert parse_prices(prices_csv(found.rows), "again").rows == found.rows
