"""Price lists: what is read, found, refused, and said of what is missing."""

import json
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.cli import main
from r2d2.errors import UsageError
from r2d2.vmcost.model import PriceKind
from r2d2.vmcost.prices import (
    NoPriceError,
    age_days,
    coverage,
    family_of,
    load_prices,
    matching,
    parse_prices,
    prices_csv,
)
from r2d2.vmcost.prices.coverage import SPARK_FAMILIES

HEADER = "provider,region,sku,vcpu,mem_mib,usd_per_hour,kind,source,source_version,as_of\n"
ROW = "azure,westus,Standard_E8s_v3,8,65536,0.56,on_demand,list,1,2026-09-01\n"
OWN = load_prices()


def test_the_list_that_comes_with_r2d2_has_the_machines_of_the_databricks_log() -> None:
    worker = OWN.price("azure", "westus", "Standard_E8s_v3")
    driver = OWN.price("Azure", "WestUS", "standard_ds3_v2")
    assert (worker.usd_per_hour, worker.vcpu, worker.mem_mib) == (Fraction("0.56"), 8, 65_536)
    assert (driver.usd_per_hour, driver.vcpu, driver.mem_mib) == (Fraction("0.279"), 4, 14_336)
    assert OWN.fee("azure", "westus", "Standard_E8s_v3", PriceKind.DBU) is not None


@pytest.mark.parametrize(
    ("provider", "region", "sku", "usd"),
    [
        ("aws", "us-east-1", "m5.xlarge", "0.192"),
        ("aws", "us-west-2", "r4.2xlarge", "0.532"),
        ("aws", "us-west-2", "c6g.xlarge", "0.136"),
        ("azure", "eastus", "Standard_D4s_v5", "0.192"),
        ("azure", "westus2", "Standard_F8s_v2", "0.338"),
        ("gcp", "us-central1", "n1-standard-4", "0.189999"),
    ],
)
def test_prices_are_those_that_the_providers_publish(
    provider: str, region: str, sku: str, usd: str
) -> None:
    found = OWN.price(provider, region, sku).usd_per_hour
    assert float(found) == pytest.approx(float(usd), rel=1e-4)


def test_every_row_has_its_source_its_day_and_a_price_that_is_not_0() -> None:
    assert len(OWN.rows) > 4_000
    for row in OWN.rows:
        assert row.usd_per_hour > 0
        assert row.source
        assert row.source_version
        assert date(2025, 1, 1) <= row.as_of <= date(2026, 9, 30)
        assert (row.vcpu is None) == (row.kind is PriceKind.DBU)


def test_a_cell_that_is_6_percent_too_dear_in_its_source_is_not_carried() -> None:
    with pytest.raises(
        NoPriceError, match=r"no on_demand price of 'i3en\.xlarge' in aws us-west-2"
    ):
        OWN.price("aws", "us-west-2", "i3en.xlarge")


def test_the_age_of_a_price_is_in_days() -> None:
    row = parse_prices(HEADER + ROW, "list").rows[0]
    assert age_days(row, date(2026, 10, 1)) == 30


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("azure", "westus", "Standard_E8s_v9"), r"no on_demand price of .*close are Standard_E8s"),
        (
            ("azure", "eastus", "Standard_E8s_v3"),
            "no prices of azure in region 'eastus'; known are",
        ),
        (("acme", "westus", "x"), "no prices of provider 'acme'; known are aws, azure"),
        (
            ("aws", "here", "Standard_E8s_v3"),
            "no on_demand price of 'Standard_E8s_v3' in aws here;",
        ),
    ],
)
def test_what_is_not_in_the_list_is_said_with_what_comes_close(
    asked: tuple[str, str, str], message: str
) -> None:
    found = parse_prices(HEADER + ROW + "aws,here,m5,2,4096,0.1,on_demand,list,1,2026-09-01\n", "p")
    with pytest.raises(NoPriceError, match=message):
        found.price(*asked)


def test_a_machine_that_other_regions_have_is_said_with_them() -> None:
    with pytest.raises(NoPriceError, match=r"other rows of it: centralus, eastus, .*westus2"):
        OWN.price("azure", "westus", "Standard_E8s_v3", PriceKind.SPOT)


def test_a_fee_of_the_region_goes_before_one_of_all_regions() -> None:
    text = HEADER + (
        "azure,*,vm,,,1,dbu,list,1,2026-09-01\nazure,westus,vm,,,2,dbu,list,1,2026-09-01\n"
    )
    found = parse_prices(text, "list")
    in_westus, elsewhere = (
        found.fee("azure", region, "VM", PriceKind.DBU) for region in ("westus", "eastus")
    )
    assert in_westus is not None
    assert elsewhere is not None
    assert (in_westus.usd_per_hour, elsewhere.usd_per_hour) == (2, 1)
    assert found.fee("azure", "westus", "vm", PriceKind.UPLIFT) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: columns are provider, .* found: none"),
        ("provider,sku\n", ":1: columns are"),
        (HEADER + ROW.replace("0.56", "0.0"), r":2: usd_per_hour = '0.0': .*0 is missing, never"),
        (HEADER + ROW.replace("0.56", "-1"), ":2: usd_per_hour = '-1'"),
        (HEADER + ROW.replace("0.56", "nan"), ":2: usd_per_hour = 'nan'"),
        (HEADER + ROW.replace("0.56", "cheap"), ":2: usd_per_hour = 'cheap'"),
        (HEADER + ROW.replace("0.56", ""), ":2: usd_per_hour is empty"),
        (
            HEADER + ROW.replace("on_demand", "lowpriority"),
            ":2: kind = 'lowpriority': expected one",
        ),
        (HEADER + ROW.replace(",8,", ",0,"), ":2: vcpu = '0'"),
        (HEADER + ROW.replace("westus", "*"), ":2: region = '.*': only fees"),
        (HEADER + ROW.replace("2026-09-01", "yesterday"), ":2: as_of = 'yesterday'"),
        (HEADER + ROW + ROW.upper().replace("ON_DEMAND", "on_demand"), ":3: .* priced in line 2"),
        (HEADER + "azure,westus\n", ":2: 2 cells under 10 columns"),
        (HEADER + '"open\n', ":2: not CSV"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"prices.csv{message}"):
        load_prices(path)


def test_a_file_that_is_not_there_or_no_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_prices(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_prices(tmp_path / "bytes.csv")


@given(st.decimals(min_value="0.000001", max_value=1000, places=9).filter(bool))
def test_a_price_is_read_to_its_last_digit(usd: object) -> None:
    assert parse_prices(HEADER + ROW.replace("0.56", f"{usd:f}"), "list").rows[0].usd_per_hour == (
        Fraction(f"{usd:f}")
    )


def test_columns_come_in_any_order_and_empty_lines_are_passed_over() -> None:
    names, cells = HEADER.strip().split(","), ROW.strip().split(",")
    text = f"{','.join(reversed(names))}\n\n{','.join(reversed(cells))}\n,,,\n"
    assert parse_prices(text, "list").rows == parse_prices(HEADER + ROW, "list").rows


def test_the_families_that_spark_is_run_on_are_covered_as_far_as_the_sources_go() -> None:
    covered = {(each.provider, each.family): each for each in coverage(OWN.rows)}
    shares = {}
    for provider, names in SPARK_FAMILIES.items():
        there = [covered[provider, name] for name in names if covered[provider, name].priced]
        shares[provider] = len(there) / len(names)
        if provider == "aws":
            pairs = sum(each.sizes * each.regions for each in there)
            assert sum(each.priced for each in there) >= 0.98 * pairs
    assert shares["aws"] == 1
    assert shares["azure"] >= 0.9
    assert shares["gcp"] >= 0.6


def test_families_without_a_price_are_told_with_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["vmcost", "prices", "--coverage", "gcp"]) == 0
    *table, last = capsys.readouterr().out.splitlines()
    (row,) = [line.split() for line in table if "n4-standard" in line]
    assert row == ["gcp", "n4-standard", "on_demand", "0", "4", "0", "0%"]
    assert last.startswith(
        "gcp: of 15 families that Spark is run on 9 have prices, 8 of every size"
    )
    assert "none of a2-highgpu, c2d-standard" in last
    assert last.endswith("give the provider's own export as --prices")


def test_spot_prices_of_aws_are_those_of_a_source_that_is_right_on_demand() -> None:
    spot = OWN.price("aws", "us-east-1", "m5.xlarge", PriceKind.SPOT)
    on_demand = OWN.price("aws", "us-east-1", "m5.xlarge")
    assert spot.source in on_demand.source.split("+")
    assert 0.1 < spot.usd_per_hour / on_demand.usd_per_hour < 0.9


def test_a_filled_row_is_marked_and_lies_on_its_familys_line() -> None:
    filled = [row for row in OWN.rows if "filled on its family's line" in row.source]
    assert len(filled) > 500
    for row in filled:
        others = [
            other.usd_per_hour / (other.vcpu or 1)
            for other in OWN.machines(row.provider, row.region)
            if row.provider == "aws"
            and family_of(other) == family_of(row)
            and "filled" not in other.source
        ]
        per_vcpu = row.usd_per_hour / (row.vcpu or 1)
        for other in others:
            assert float(other) == pytest.approx(float(per_vcpu), rel=0.011)


def test_prices_are_searched_by_parts_of_their_row_and_written_for_use() -> None:
    found = matching(OWN, ["AWS", "us-east-1", "m5.", "on_demand"])
    assert {"m5.xlarge", "m5.2xlarge"} <= {row.sku for row in found}
    assert all(row.sku.startswith("m5.") for row in found)
    assert matching(OWN, ["no such"]) == ()
    assert parse_prices(prices_csv(found), "again").rows == found


def test_prices_are_listed_with_their_source_date_and_age(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["vmcost", "prices", "aws", "us-east-1", "m5.xlarge", "on_demand"]) == 0
    heads, row = capsys.readouterr().out.splitlines()
    assert heads.split()[:4] == ["provider", "region", "SKU", "vCPU"]
    assert row.split()[:6] == ["aws", "us-east-1", "m5.xlarge", "4", "16", "0.192"]
    assert main(["vmcost", "prices", "--coverage", "aws", "on_demand"]) == 0
    assert "m5d" in capsys.readouterr().out
    assert main(["vmcost", "prices", "nothing-like-it"]) == 1


def test_the_offer_file_of_aws_is_read_as_it_is(tmp_path: Path) -> None:
    columns = (
        '"SKU","TermType","PricePerUnit","Unit","Currency","Region Code","Instance Type","vCPU",'
        '"Memory","Operating System","Tenancy","Pre Installed S/W","CapacityStatus"'
    )
    rows = [
        '"A","OnDemand","0.1920000000","Hrs","USD","us-east-1","m5.xlarge","4","16 GiB","Linux",'
        '"Shared","NA","Used"',
        '"B","OnDemand","0.3760000000","Hrs","USD","us-east-1","m5.xlarge","4","16 GiB","Windows",'
        '"Shared","NA","Used"',
        '"C","Reserved","0.1","Hrs","USD","us-east-1","m5.large","2","8 GiB","Linux","Shared","NA",'
        '"Used"',
    ]
    head = [
        '"FormatVersion","v1.0"',
        '"Disclaimer","none"',
        '"Publication Date","2026-10-02T18:02:12Z"',
        '"Version","20261002180212"',
        '"OfferCode","AmazonEC2"',
    ]
    path = tmp_path / "index.csv"
    path.write_text("\n".join([*head, columns, *rows]) + "\n")
    (row,) = load_prices(path).rows
    assert (row.sku, row.vcpu, row.mem_mib) == ("m5.xlarge", 4, 16_384)
    assert (row.usd_per_hour, row.as_of) == (Fraction("0.192"), date(2026, 10, 2))
    path.write_text("\n".join([*head, '"SKU","TermType"']) + "\n")
    with pytest.raises(UsageError, match="an offer file of AWS without its column"):
        load_prices(path)


def test_an_answer_of_azures_retail_prices_is_read_as_it_is(tmp_path: Path) -> None:
    item = {
        "armSkuName": "Standard_E8s_v3",
        "armRegionName": "westus",
        "retailPrice": 0.56,
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "productName": "Virtual Machines ESv3 Series",
        "skuName": "E8s v3",
        "effectiveStartDate": "2026-09-01T00:00:00Z",
    }
    others = [
        item | {"productName": "Virtual Machines ESv3 Series Windows", "retailPrice": 0.9},
        item | {"skuName": "E8s v3 Low Priority", "retailPrice": 0.1},
        item | {"type": "Reservation", "retailPrice": 3000},
        item | {"skuName": "E8s v3 Spot", "retailPrice": 0.11},
    ]
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"Items": [item, *others]}))
    on_demand, spot = load_prices(path).rows
    assert (on_demand.usd_per_hour, on_demand.vcpu) == (Fraction("0.56"), 8)
    assert (spot.kind, spot.usd_per_hour) == (PriceKind.SPOT, Fraction("0.11"))
    path.write_text('{"no": "items"}')
    with pytest.raises(UsageError, match="not Azure's retail prices"):
        load_prices(path)
