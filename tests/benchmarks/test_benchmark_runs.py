"""The harness measures whole processes and says who found what."""

import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.compare import Outcome, agreement, compare, ratios
from benchmarks.contenders import Contender
from benchmarks.errors import BenchmarkError
from benchmarks.growth import Grown, exponent, growth_table
from benchmarks.lakes import BenchmarkLake
from benchmarks.measure import Cost, measured
from benchmarks.table import result_table

WRITES = "import sys; open(sys.argv[1] + '/edges.csv', 'w').write('child,parent\\n' + sys.argv[2])"


def finder(name: str, lines: str) -> Contender:
    return Contender(
        name, lambda _, folder: (sys.executable, "-c", WRITES, str(folder), lines), "edges.csv"
    )


def outcome(name: str, walls: tuple[float, ...], edges: set[tuple[str, str]]) -> Outcome:
    costs = tuple(Cost(wall, wall, 100.0) for wall in walls)
    return Outcome(finder(name, ""), costs, frozenset(edges))


def test_a_process_is_charged_for_its_children_and_its_memory(tmp_path: Path) -> None:
    child = "b = bytearray(200_000_000); sum(range(2_000_000))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    cost = measured((sys.executable, "-c", parent), tmp_path / "log.txt")
    assert cost.peak_mb >= 190
    assert cost.cpu_s > 0


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_a_process_is_charged_for_what_outlives_it(tmp_path: Path) -> None:
    child = "import time; b = bytearray(200_000_000); time.sleep(0.2); sum(range(9_000_000))"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}])"
    cost = measured((sys.executable, "-c", parent), tmp_path / "log.txt")
    assert cost.peak_mb >= 190
    assert cost.cpu_s > cost.wall_s


def test_a_process_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="ended with 3: no lake"):
        measured((sys.executable, "-c", "print('no lake'); exit(3)"), tmp_path / "log.txt")


def test_edges_that_differ_from_the_first_rivals_are_counted(tmp_path: Path) -> None:
    contenders = [finder("r2d2 local", "a,b\n"), finder("one_query", "a,b\nb,c\n")]
    lake = BenchmarkLake("small", tmp_path)
    outcomes = compare(lake, contenders, runs=2, once_s=60.0, work=tmp_path)
    assert [len(outcome.costs) for outcome in outcomes] == [2, 2]
    assert agreement(outcomes) == {"r2d2 local": "1 missing, 0 extra", "one_query": "same"}


def test_what_takes_long_runs_once(tmp_path: Path) -> None:
    lake = BenchmarkLake("small", tmp_path)
    outcomes = compare(lake, [finder("one_scan", "")], runs=3, once_s=0.0, work=tmp_path)
    assert len(outcomes[0].costs) == 1


def test_the_ratio_is_to_the_better_rival_of_the_same_turn() -> None:
    rivals = [outcome("one_query", (4.0, 2.0), set()), outcome("one_scan", (3.0,), set())]
    ours = outcome("r2d2 local", (1.5, 1.0), set())
    assert ratios(ours, rivals, lambda cost: cost.wall_s) == [0.5, 0.5]


def test_the_table_tells_a_contender_that_failed_from_one_that_found_nothing() -> None:
    failed = Outcome(finder("r2d2 spark", ""), (), frozenset(), "no Java")
    table = result_table([failed, outcome("one_query", (2.0, 4.0), {("a", "b")})])
    assert "| r2d2 spark | no Java " in table
    assert "| 3.00 (2.00–4.00) |" in table


def test_cost_in_proportion_to_bytes_has_exponent_one() -> None:
    assert exponent([10.0, 40.0, 160.0], [1.0, 4.0, 16.0]) == pytest.approx(1.0)
    steps = [Grown(s, s * 100, outcome("r2d2 local", (s * 0.5,), set())) for s in (1, 4, 16)]
    assert growth_table(steps).endswith("exponent in bytes: wall 1.00, CPU 1.00")


def test_a_missing_peer_and_a_missing_lake_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lake", "dev", "--engines", "", "--shared", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "no peer at" in said
    assert "no lake at" in said
