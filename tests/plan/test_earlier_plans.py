"""A plan that another takes the place of is kept whole: its recipes may be all that is left."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.errors import EXIT_OK, EXIT_USAGE

PRICES = "[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 1e9\n"
MONTHS = "[[protect]]\ntables = '*ary*'\nreason = 'the law'\n"
Call = Callable[..., str]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two months and their union; a table, and rows of it that no predicate selects."""
    folder = tmp_path / "lake"
    folder.mkdir()
    pq.write_table(pa.table({"x": range(900)}), folder / "january.parquet")
    pq.write_table(pa.table({"x": range(900, 1800)}), folder / "february.parquet")
    pq.write_table(pa.table({"x": range(1800)}), folder / "both.parquet")
    texts = [sha256(str(number).encode()).hexdigest() * 3 for number in range(400)]
    whole = pa.table({"id": range(400), "text": texts})
    pq.write_table(whole, folder / "whole.parquet")
    chosen = [number for number in range(400) if number * 2654435761 % 97 < 30]
    pq.write_table(whole.take(chosen), folder / "sample.parquet")
    (tmp_path / "dear.toml").write_text(PRICES + MONTHS)
    return folder


@pytest.fixture
def run(lake: Path, tmp_path: Path) -> Path:
    run = tmp_path / "run"
    assert main(["find", str(lake), "--out", str(run)]) == EXIT_OK
    config = str(tmp_path / "dear.toml")
    assert main(["plan", "--run", str(run), "--config", config]) == EXIT_OK
    assert {"both.parquet", "sample.parquet"} <= deleted(run)
    assert list((run / "residuals").iterdir())
    return run


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls a command; returns all that it says."""

    def said(*arguments: object, code: int = EXIT_OK) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == code
        told = capsys.readouterr()
        return told.out + told.err

    return said


def plan_of(folder: Path) -> Any:
    return json.loads((folder / "plan.json").read_text())


def deleted(folder: Path) -> set[str]:
    return {t["table"] for t in plan_of(folder)["tables"] if t["choice"] == "delete"}


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_plan_that_says_the_same_but_for_seconds_stays_byte_by_byte(
    lake: Path, run: Path, call: Call
) -> None:
    before = files(run)
    assert "the plan is the same as before: its file stays" in call("plan", "--run", run)
    assert files(run) == before
    residual = next((run / "residuals").iterdir())
    residual.write_bytes(b"damaged")
    told = call("plan", "--run", run)
    assert "the plan before is kept, with its recipes" in told
    assert residual.read_bytes() == before[f"residuals/{residual.name}"]
    pq.write_table(pa.table({"x": [5]}), lake / "more.parquet")
    assert main(["find", str(lake), "--out", str(run)]) == EXIT_OK
    assert "says the same" not in call("plan", "--run", run)


def test_a_table_that_is_deleted_comes_back_by_the_plan_that_was_replaced(
    lake: Path, run: Path, call: Call, tmp_path: Path
) -> None:
    was = {name: (lake / name).read_bytes() for name in ("both.parquet", "sample.parquet")}
    for name in was:
        (lake / name).unlink()
    told = call("plan", "--run", run)
    (earlier,) = (run / "earlier").iterdir()
    assert f"the plan before is kept, with its recipes: {earlier / 'plan.json'}" in told
    assert f"the recipes of 2 tables that are gone, such as both.parquet: --run {earlier}" in told
    assert deleted(run).isdisjoint(was)
    place = tmp_path / "back"
    refused = call("recipe", "run", "both.parquet", "--run", run, "--to", place, code=EXIT_USAGE)
    assert f"an earlier one deletes it: give --run {earlier}" in refused
    assert f"give --run {earlier}" in call(
        *("recipe", "show", "sample.parquet", "--run", run), code=EXIT_USAGE
    )
    call("recipe", "run", *was, "--run", earlier, "--to", place)
    for name in was:
        assert pq.read_table(place / name).num_rows > 0


def test_explain_alone_reads_the_plan_that_is_there_and_writes_nothing(
    run: Path, call: Call
) -> None:
    before = files(run)
    assert "both.parquet: delete: it can be rebuilt from" in call(
        *("plan", "--run", run, "--explain", "both.parquet")
    )
    assert files(run) == before


def test_explain_of_a_run_without_a_plan_says_what_to_do(
    lake: Path, call: Call, tmp_path: Path
) -> None:
    call("find", lake, "--out", tmp_path / "run")
    told = call(*("plan", "--run", tmp_path / "run", "--explain", "both.parquet"), code=EXIT_USAGE)
    assert f"there is no plan to explain; run `r2d2 plan --run {tmp_path / 'run'}` first" in told


def test_settings_that_are_not_given_are_those_of_the_plan_that_is_replaced(
    run: Path, call: Call
) -> None:
    before = plan_of(run)
    told = call("plan", "--run", run)
    assert "settings are those of the plan before: --config gives others" in told
    assert plan_of(run)["settings"] == before["settings"]
    assert deleted(run) == {t["table"] for t in before["tables"] if t["choice"] == "delete"}


def test_settings_of_a_plan_of_another_graph_are_not_kept_and_that_is_told(
    lake: Path, run: Path, call: Call
) -> None:
    pq.write_table(pa.table({"y": [1]}), lake / "new.parquet")
    call("find", lake, "--out", run)
    told = call("plan", "--run", run)
    assert "default settings; those of" in told
    assert "earlier" in told


def test_a_plan_that_is_made_for_the_first_time_tells_of_no_other(
    lake: Path, call: Call, tmp_path: Path
) -> None:
    call("find", lake, "--out", tmp_path / "run")
    assert "before" not in call("plan", "--run", tmp_path / "run")


def test_a_plan_that_was_saved_elsewhere_stays_usable(
    lake: Path, run: Path, call: Call, tmp_path: Path
) -> None:
    saved, place = tmp_path / "approved.json", tmp_path / "back"
    call("plan", "--run", run, "--out", saved)
    for _ in range(2):
        call("plan", "--run", run, "--config", tmp_path / "dear.toml")
    assert "the plan holds" in call("check", saved, "--run", run)
    (lake / "sample.parquet").unlink()
    call("recipe", "run", "sample.parquet", "--plan", saved, "--run", run, "--to", place)
    assert (place / "sample.parquet").is_file()


def test_where_no_run_fits_a_saved_plan_the_refusal_says_which_is_wanted(
    lake: Path, run: Path, call: Call, tmp_path: Path
) -> None:
    saved, other = tmp_path / "approved.json", tmp_path / "other"
    saved.write_bytes((run / "plan.json").read_bytes())
    call("find", lake, "--out", other)
    call("plan", "--run", other)
    told = call("check", saved, "--run", other, code=1)
    assert "and no earlier plan there has it; give --run the folder of its own run" in told


def test_what_if_does_not_take_the_place_of_a_plan_that_was_run(run: Path, call: Call) -> None:
    before = files(run)
    told = call("plan", "--run", run, "--what-if", "--out", run / "plan.json", code=EXIT_USAGE)
    assert "is the plan whose recipes were run; give another name" in told
    assert files(run) == before


def test_residuals_stay_where_views_read_them(run: Path, call: Call) -> None:
    before = set((run / "residuals").iterdir())
    cheap = run.parent / "cheap.toml"
    cheap.write_text("[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 1e-9\n")
    call("plan", "--run", run, "--config", cheap)
    assert deleted(run) == set()
    assert set((run / "residuals").iterdir()) == before


def grow(lake: Path) -> Path:
    """A larger table that gives `whole.parquet` back; the deleted sample goes."""
    whole = pq.read_table(lake / "whole.parquet")
    more = pa.concat_tables([whole, pa.table({"id": [400], "text": ["more"]})])
    larger = more.append_column("extra", pa.array(range(401)))
    pq.write_table(larger, lake / "larger.parquet")
    (lake / "sample.parquet").unlink()
    return lake / "sample.parquet"


def entry(folder: Path, name: str) -> Any:
    return next(table for table in plan_of(folder)["tables"] if table["table"] == name)


def test_what_a_gone_table_is_rebuilt_from_stays_in_every_later_plan(
    lake: Path, run: Path, call: Call, tmp_path: Path
) -> None:
    grow(lake)
    call("find", lake, "--out", run)
    for _ in range(2):
        call("plan", "--run", run, "--config", tmp_path / "dear.toml")
        assert entry(run, "whole.parquet")["choice"] == "keep"
        reason = entry(run, "whole.parquet")["must_keep"]
        assert "rebuilds sample.parquet from it, and sample.parquet is gone" in reason
        (earlier,) = (f for f in (run / "earlier").iterdir() if "sample.parquet" in deleted(f))
        assert f"an earlier plan (earlier/{earlier.name})" in reason
        assert "the plan holds" in call("check", run / "plan.json")
    varied = tmp_path / "varied.json"
    call("plan", "--run", run, "--max-latency", "9999", "--out", varied)
    assert "whole.parquet" not in {
        t["table"] for t in json.loads(varied.read_text())["tables"] if t["choice"] == "delete"
    }
    call("recipe", "run", "sample.parquet", "--run", earlier, "--to", tmp_path / "back")


def test_the_plan_that_is_replaced_binds_too_where_find_was_not_run_again(
    lake: Path, call: Call, tmp_path: Path
) -> None:
    sample, run = (lake / "sample.parquet").read_bytes(), tmp_path / "run"
    grow(lake).write_bytes(sample)
    kept = tmp_path / "kept.toml"
    kept.write_text(PRICES + MONTHS + "[[protect]]\ntables = 'whole*'\nreason = 'mine'\n")
    call("find", lake, "--out", run)
    call("plan", "--run", run, "--config", kept)
    assert "sample.parquet" in deleted(run)
    (lake / "sample.parquet").unlink()
    call("plan", "--run", run, "--config", tmp_path / "dear.toml")
    (earlier,) = (run / "earlier").iterdir()
    assert entry(run, "whole.parquet")["must_keep"] == (
        f"an earlier plan (earlier/{earlier.name}) rebuilds sample.parquet from it, "
        "and sample.parquet is gone"
    )


def test_a_table_that_is_back_binds_no_parent(
    lake: Path, run: Path, call: Call, tmp_path: Path
) -> None:
    sample = (lake / "sample.parquet").read_bytes()
    grow(lake).write_bytes(sample)
    call("find", lake, "--out", run)
    call("plan", "--run", run, "--config", tmp_path / "dear.toml")
    assert entry(run, "whole.parquet")["must_keep"] is None
    assert "whole.parquet" in deleted(run)


def test_a_table_that_is_a_part_of_another_by_now_binds_no_parent(
    lake: Path, run: Path, call: Call, tmp_path: Path
) -> None:
    sample = (lake / "sample.parquet").read_bytes()
    grow(lake).write_bytes(sample)
    rules = tmp_path / "rules.toml"
    rules.write_text("[[table]]\nfolder = '.'\n")
    call("find", lake, "--out", run, "--config", rules)
    call("plan", "--run", run, "--config", tmp_path / "dear.toml")
    assert [table["must_keep"] for table in plan_of(run)["tables"]] == [None]


def test_check_refuses_a_plan_that_deletes_what_a_gone_table_is_rebuilt_from(
    lake: Path, run: Path, call: Call, tmp_path: Path
) -> None:
    sample = (lake / "sample.parquet").read_bytes()
    grow(lake).write_bytes(sample)
    call("find", lake, "--out", run)
    call("plan", "--run", run, "--config", tmp_path / "dear.toml")
    (earlier,) = (run / "earlier").iterdir()
    assert {"whole.parquet", "sample.parquet"} <= deleted(run)
    saved = tmp_path / "approved.json"
    settings = tmp_path / "kept.toml"
    settings.write_text(PRICES + "[[protect]]\ntables = 'sample*'\nreason = 'mine'\n" + MONTHS)
    call("plan", "--run", run, "--config", settings, "--out", saved)
    assert "the plan holds" in call("check", saved, "--run", run)
    (lake / "sample.parquet").unlink()
    told = call("check", saved, "--run", run, code=1)
    assert f"an earlier plan (earlier/{earlier.name}) rebuilds sample.parquet from it" in told
    assert "earlier-plan: whole.parquet must stay" in told
