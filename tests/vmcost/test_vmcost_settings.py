"""`vmcost.toml`: every section, exact numbers, and what is wrong named with its line."""

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from r2d2.errors import UsageError
from r2d2.vmcost.machines import ClusterFacts
from r2d2.vmcost.model import Billing
from r2d2.vmcost.settings import load_vmcost_settings


def test_a_file_states_machines_and_billing_exactly(tmp_path: Path) -> None:
    path = tmp_path / "vmcost.toml"
    path.write_text(
        '[cluster]\nprovider = "azure"\ncount = 2\nspot = false\n'
        "[billing]\nquantum_s = 1\nuplift_usd_per_node_hour = 0.07\ndbu_usd = 0.15\n"
    )
    found = load_vmcost_settings(path)
    assert found.cluster == ClusterFacts(provider="azure", count=2, spot=False)
    assert found.billing == Billing(
        quantum_s=Fraction(1),
        uplift_usd_per_node_hour=Fraction(7, 100),
        dbu_usd=Fraction(15, 100),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[cluster]\n\nregoin = 'x'\n",
            r":3: unknown key 'regoin' \(did you mean 'region'\?\); kn",
        ),
        ("[machines]\n", r":1: unknown section 'machines'; known are \[cluster\], \[billing\]"),
        ("cluster = 1\n", r":1: cluster is a section: write \[cluster\]"),
        ("[billing]\n[cluster] # x\ncount = 0\n", ":3: count = 0: give 1 or more"),
        ("cluster.count = 100_000_000\n", ":1: count = 100000000: give 1 or more, up to 10,000"),
        (
            "[spot]\ninterruptions_per_vm_hour = 1\nusd_per_hour = 0\n",
            ":3: usd_per_hour = 0: give a number above 0",
        ),
        ("cluster.count = true\n", ":1: count = True: expected a whole number"),
        ("[cluster]\nvm = ''\n", ":2: vm = '': give a name"),
        ("[cluster]\nspot = 'yes'\n", ":2: spot = 'yes': expected true or false"),
        ("[billing]\nquantum_s = 0\n", ":2: quantum_s = 0: give"),
        ("[billing]\nminimum_s = -1.5\n", ":2: minimum_s = -1.5: expected a number, 0 or more"),
        ("[billing]\ndbu_usd = nan\n", ":2: dbu_usd = NaN: expected a number"),
        ("cluster = {vms = 2}\n", ":1: unknown key 'vms'"),
        ("[right_size]\n", r":1: \[right_size\] needs deadline_s: a number"),
        ("[right_size]\ndeadline_s = 1\ncounts = ['a']\n", ":3: counts = .*: expected whole"),
        ("[serverless]\nsource='x'\nas_of=2026-01-01\nmax_workers=1\n", ":1: .* usd_per_cu"),
        ("[pipeline]\ndeadline_s=1\nvms=['m']\n", r": \[pipeline\] and its \[\[job\]\] belong"),
        ("job = 1\n", r":1: write \[\[job\]\]"),
        ("[cluster\n", ": not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "vmcost.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"vmcost.toml{message}"):
        load_vmcost_settings(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_vmcost_settings(tmp_path / "none.toml")


def test_the_example_in_the_docs_is_a_file_that_is_read(tmp_path: Path) -> None:
    page = Path(__file__).parents[2].joinpath("docs/vmcost.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "vmcost.toml"
    path.write_text(example)
    found = load_vmcost_settings(path)
    assert found.cluster.driver_vm == "Standard_DS3_v2"
    assert found.right_size is not None
    assert found.right_size.counts == (1, 2, 4, 8)
    assert found.serverless is not None
    assert found.serverless.as_of == date(2026, 9, 1)
    assert found.serverless.usd_per_gb_second == Fraction("0.0000167")
    assert [job.name for job in found.job] == ["find"]


def test_nothing_stated_asks_for_nothing() -> None:
    found = load_vmcost_settings(None)
    assert (found.cluster, found.right_size, found.spot, found.pipeline) == (
        ClusterFacts(),
        None,
        None,
        None,
    )
