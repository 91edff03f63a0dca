import csv
import io
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from r2d2.vmcost.report import figures
from r2d2.vmcost.report.owners import chargeback
from tests.support.vmcost.report_examples import HOSTILE, PARTS, a_report, an_application


def rows_of(texts: Mapping[str, str], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(texts[name])))


def test_each_application_part_job_stage_and_executor_has_a_row() -> None:
    report = a_report(2)
    report |= {"chargeback": chargeback(report["applications"], 30)}  # a user, two names, a queue
    texts = figures.csv_texts(report)
    counts = {name: len(rows_of(texts, name)) for name in texts}
    assert counts == {
        "applications.csv": 2,
        "money.csv": 2 * len(PARTS),
        "jobs.csv": 8,
        "stages.csv": 16,
        "executors.csv": 6,
        "what_to_do.csv": 2,
        "chargeback.csv": 4,
        "trend.csv": 0,
    }


def test_the_columns_are_those_that_are_documented() -> None:
    texts = figures.csv_texts(a_report())
    for name, columns in figures.COLUMNS.items():
        assert tuple(next(csv.reader(io.StringIO(texts[name])))) == columns


def test_money_in_the_csv_adds_up_to_the_applications() -> None:
    texts = figures.csv_texts(a_report())
    parts = sum(float(row["usd"]) for row in rows_of(texts, "money.csv"))
    assert abs(parts - float(rows_of(texts, "applications.csv")[0]["usd"])) < 1e-12


def test_a_stages_attempt_is_not_its_applications() -> None:
    made = an_application(attempt="2")
    made["by_stage"][0]["attempt"] = 7
    row = rows_of(figures.csv_texts({"applications": [made]}), "stages.csv")[0]
    assert (row["attempt"], row["stage_attempt"]) == ("2", "7")


def test_an_application_without_money_has_empty_cells_not_zeros() -> None:
    unknown = an_application(usd=None, money=None, cluster=None, energy=None, prices=[])
    texts = figures.csv_texts({"applications": [unknown]})
    row = rows_of(texts, "applications.csv")[0]
    assert [row[name] for name in ("usd", "vm", "count", "oldest_price", "energy_kwh")] == [""] * 5
    assert rows_of(texts, "money.csv") == []


def test_a_hostile_name_can_be_written_as_utf_8() -> None:
    texts = figures.csv_texts(a_report(name=HOSTILE))
    assert b"<script>" in texts["applications.csv"].encode()


@given(name=st.text() | st.builds(str.__add__, st.sampled_from("=+-@\t\r ＝"), st.text()))
def test_no_text_begins_a_formula_or_breaks_its_line(name: str) -> None:
    text = figures.csv_texts({"applications": [an_application(name=name, jobs=1)]})[
        "applications.csv"
    ]
    assert len(text.splitlines()) == 2
    cell = next(csv.DictReader(io.StringIO(text)))["name"]
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))


def test_honest_names_and_negative_numbers_stay_as_they_are() -> None:
    made = an_application(name="daily load, 3 = 3", core_seconds=-1.5)
    row = rows_of(figures.csv_texts({"applications": [made]}), "applications.csv")[0]
    assert (row["name"], row["core_seconds"]) == ("daily load, 3 = 3", "-1.5")
