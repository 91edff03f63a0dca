"""The paper's cases, whole: a chain, a star, equal tables, a table that must stay."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from r2d2.cli import main
from tests.support.plan import paper_cases

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "plan.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"<!-- paper cases -->\n```\n(.*?)```", PAGE, re.S)
SETTINGS = str(REPOSITORY / "sample_lake" / "plan.toml")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper_cases")
    paper_cases.write(folder / "lake")
    assert main(["find", str(folder / "lake"), "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def tables(run: Path) -> dict[str, Any]:
    """What the plan says of each table."""
    command = ["plan", "--run", str(run), "--config", SETTINGS, "--out", str(run / "plan.json")]
    assert main(command) == 0
    plan = json.loads((run / "plan.json").read_text())
    return {entry["table"]: entry for entry in plan["tables"]}


def rebuilt_from(tables: dict[str, Any], case: str) -> dict[str, list[str]]:
    """The case's deleted tables and what each is rebuilt from."""
    return {
        name: entry["parents"]
        for name, entry in tables.items()
        if name.startswith(case) and entry["choice"] == "delete"
    }


def test_of_a_chain_the_first_stays_and_every_other_is_rebuilt_from_it(
    tables: dict[str, Any],
) -> None:
    assert rebuilt_from(tables, "chain/") == {
        "chain/2024.csv": ["chain/all.csv"],
        "chain/2024_north.csv": ["chain/all.csv"],
    }


def test_of_a_star_the_middle_stays(tables: dict[str, Any]) -> None:
    assert rebuilt_from(tables, "star/") == {
        "star/orders_2024.csv": ["star/orders.csv"],
        "star/orders_north.csv": ["star/orders.csv"],
        "star/orders_south.csv": ["star/orders.csv"],
    }


def test_of_equal_tables_one_stays(tables: dict[str, Any]) -> None:
    assert rebuilt_from(tables, "equal/") == {
        "equal/customers_backup.csv": ["equal/customers.csv"],
        "equal/customers_copy.csv": ["equal/customers.csv"],
    }


def test_a_protected_table_stays_and_may_be_what_others_are_rebuilt_from(
    tables: dict[str, Any],
) -> None:
    assert rebuilt_from(tables, "ops/") == {}
    assert tables["ops/ledger.csv"]["reason"] == "protected: operations write these"
    assert rebuilt_from(tables, "teams/") == {
        "teams/ledger.csv": ["ops/ledger.csv"],
        "teams/ledger_2025.csv": ["ops/ledger.csv"],
    }


def test_a_chain_whose_middle_must_stay_is_rebuilt_from_the_nearest_that_is_kept(
    run: Path, tables: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tables
    command = ["plan", "--run", str(run), "--config", SETTINGS, "--protect", "chain/2024.csv"]
    assert main([*command, "--explain", "chain/2024_north.csv"]) == 0
    assert "it can be rebuilt from chain/2024.csv" in capsys.readouterr().out


def test_the_page_on_plans_shows_this_plan(
    run: Path, tables: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tables
    assert SHOWN
    assert main(["plan", "--run", str(run), "--config", SETTINGS]) == 0
    printed = capsys.readouterr().out.partition("\nnext: ")[0].replace(str(run), "run")
    assert [versionless(shown) for shown in SHOWN] == [versionless(printed)] * len(SHOWN)


def versionless(text: str) -> str:
    text = re.sub(r"\b2 min \d s\b", "2 min", text)  # what a busy machine adds
    return re.sub(r" {2,}", "  ", re.sub(r"\(HiGHS [^)]*\)", "(HiGHS)", text))
