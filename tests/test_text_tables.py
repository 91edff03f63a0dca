"""Numbers and their nouns, in the helper and in what users read."""

import os
import re
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.text_tables import aligned, by_number, pluralize, printable, shell_word, visible, width_of
from r2d2.vmcost.report.text import report_lines
from r2d2.vmcost.report.timeline import grouped
from tests.support.vmcost.report_examples import a_report

# A figure of 1 before a plural: not 1 ms, nor what ends in 1.
WRONG = re.compile(r"(?<![.,\d])1 (?!is\b|was\b|ms\b)[a-z-]*[a-rt-z]s\b")


def test_a_noun_follows_its_number() -> None:
    assert [pluralize(number, "table") for number in (0, 1, 2, 1000)] == [
        "0 tables",
        "1 table",
        "2 tables",
        "1,000 tables",
    ]
    assert pluralize(2, "copy", "copies") == "2 copies"
    assert [by_number(number, "is", "are") for number in (1, 2)] == ["is", "are"]


def test_a_number_that_is_text_is_shown_as_it_is() -> None:
    assert [pluralize(text, "time") for text in ("1", "1.5", "1000")] == [
        "1 time",
        "1.5 times",
        "1000 times",
    ]


@pytest.mark.parametrize("text", ["1 tables", "1 core-seconds, busy", "in 1 stages"])
def test_the_pattern_of_a_wrong_plural_finds_one(text: str) -> None:
    assert WRONG.search(text)
    assert not WRONG.search(text.replace("1 ", "21 "))


def test_columns_are_aligned_where_names_are_wide_or_have_accents_apart() -> None:
    lines = list(aligned([("注文.csv", "1"), ("cafe\u0301.csv", "2"), ("orders.csv", "3")]))
    assert [width_of(line) for line in lines] == [width_of("orders.csv  3")] * 3


LOOKALIKES = (
    *("a b", "a  b", " a b", "a b ", "a b\t", "a\tb", r"a\tb", r"a\\tb", "a\nb", "a\x1bb"),
    *(r"a\x1bb", "a\x9bb", r"a\x9bb", "a\udc9bb", "a\u200fb", "a\u202eb", r"a\u202eb", "ab"),
    *("a\xa0b", "a\u3000b", "a\u200bb", "a/ b", "a /b", "a/b", "a\U000e0041b", r"a\x20b"),
)


def test_names_that_look_alike_are_shown_so_that_they_do_not() -> None:
    shown = [visible(name) for name in LOOKALIKES]
    assert len({" ".join(name.split()) for name in shown}) == len(LOOKALIKES)
    assert all(name.isprintable() for name in shown)
    assert [printable(name) for name in shown] == shown


@pytest.mark.slow
def test_a_shell_reads_the_names_back_that_are_shown() -> None:
    names = [*LOOKALIKES, "it's  one", "$HOME  `id`", "plain.csv"]
    words = " ".join(map(shell_word, names))
    command = ["bash", "-c", rf"printf '%s\0' {words}"]
    done = subprocess.run(command, env={"LC_ALL": "C.UTF-8"}, capture_output=True, check=True)
    assert os.fsdecode(done.stdout).split("\0")[:-1] == names


def test_one_of_each_is_told_in_the_singular(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run, reads = tmp_path / "lake", tmp_path / "run", tmp_path / "reads.csv"
    lake.mkdir()
    pq.write_table(pa.table({"x": range(2000)}), lake / "all.parquet")
    pq.write_table(pa.table({"x": range(1000)}), lake / "some.parquet")
    reads.write_text("table,reads_per_month\nsome,1\n")
    assert main(["find", str(lake), "--out", str(run)]) == 0
    plan = ["plan", "--run", str(run), "--usage", str(reads)]
    assert main(plan) == main([*plan, "--explain", "some.parquet"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^1 of 2 tables is contained in others: .*; 1 containment pro", told, re.M)
    assert " of 1 recipe, at r2d2's default prices, of 2022-07-07 (--config gives yours)" in told
    assert "it is read 1 time a month" in told
    assert not WRONG.search(told)


def test_a_report_of_one_application_with_one_task_is_in_the_singular() -> None:
    told = "\n".join(report_lines(a_report(tasks=1, core_seconds=1.0)))
    assert "1 core-second, " in told
    assert "; 1 task\n" in told
    assert not WRONG.search(told)


def test_a_group_of_hosts_that_has_one_is_in_the_singular() -> None:
    flat = {"cores": 4, "rented": [], "busy": [0.5], "failed": [0.0]}
    hosts = [{"host": name, **flat} for name in "abc"]
    assert [each["host"] for each in grouped(hosts, 2)] == [
        "2 hosts from a to b",
        "1 host from c to c",
    ]
