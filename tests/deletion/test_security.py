"""The security table of deletion, a test or more for each of its rows.

R2D2_NAMES=200 sends as many hostile names through every verb.
"""

import csv
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.deletion.discrepancies import discrepancies
from r2d2.deletion.place import LocalPlace, PlaceError
from r2d2.deletion.verbs.apply import Applied, Refused, apply
from r2d2.deletion.verbs.purge import NotPurged, Purged, purge
from r2d2.deletion.verbs.rebuild import Back, rebuild
from r2d2.deletion.verbs.undo import undo
from r2d2.lake.deletions import JournalError
from r2d2.plan.plan_file import digest
from r2d2.plan.rebuild import LostTable
from r2d2.storage.output import json_text
from tests.deletion.test_tampering import check_flips_of_a_plan, records
from tests.deletion.test_who_writes import stats
from tests.report.test_names_as_cells import FORMULAS
from tests.support.deletion.hostile_lake import hostile_names, write_hostile_lake
from tests.support.deletion.small_lake import (
    approved,
    deleted_tables,
    files_of_lake,
    journal_of,
    planned,
    write_lake,
)

NAMES = int(os.environ.get("R2D2_NAMES", "24"))
CANARY = "canary-7d1f-secret"
NOBODY = 65534


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A small lake."""
    write_lake(tmp_path / "lake")
    return tmp_path / "lake"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The place of a run's folder."""
    return tmp_path / "run"


@pytest.fixture
def now(tmp_path: Path) -> str:
    """A file of settings by which a retention is over at once."""
    (tmp_path / "now.toml").write_text("[deletion]\nretention_days = 0\n")
    return str(tmp_path / "now.toml")


# Names as code.


def test_hostile_names_of_tables_columns_and_values_go_through_every_verb(
    tmp_path: Path, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run, names = tmp_path / "lake", tmp_path / "run", hostile_names(NAMES)
    children = write_hostile_lake(lake, names)
    (tmp_path / "sentinel").write_text("stays")
    before, around = files_of_lake(lake), {path.name for path in tmp_path.iterdir()}
    plan, place = approved(lake, run), str(lake)
    assert deleted_tables(plan) == sorted(children)
    assert main(["apply", str(run / "plan.json"), "--yes", "--no-catalogue"]) == 0
    assert set(files_of_lake(lake)) == {"whole.parquet"}
    capsys.readouterr()
    assert main(["status", place, "--json"]) == 0
    assert {each["table"] for each in json.loads(capsys.readouterr().out)} == {*children}
    back = list(rebuild(journal_of(lake), sorted(children), tmp_path / "back"))
    assert all(isinstance(each, Back) for each in back)
    assert {location: rows_of(tmp_path / "back" / location) for location in children} == children
    some = sorted(children)[::2]
    assert main(["undo", "--yes", "--", *some, place]) == 0
    assert main(["purge", place, "--config", now, "--yes"]) == 0
    rest = sorted({*children} - {*some})
    assert main(["rebuild", "--", *rest, place]) == 0
    assert {location: rows_of(lake / location) for location in children} == children
    untouched = [path for path in before if path in some or path.rpartition("/")[0] in some]
    assert all(files_of_lake(lake)[path] == before[path] for path in untouched)
    for verb in ("fsck", "audit", "status"):
        assert main([verb, place]) == 0
    told = capsys.readouterr()
    assert all(line.isprintable() for line in (told.out + told.err).split("\n"))
    assert {path.name for path in tmp_path.iterdir()} == {*around, "run", "back"}


def rows_of(path: Path) -> pa.Table:
    (file,) = [path] if path.is_file() else path.rglob("*.parquet")
    return pq.read_table(file, partitioning=None).replace_schema_metadata(None)


# Paths.


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "a/..", "/etc/passwd", "", "..", "a\0b", "../lake2/x", "link/x"],
)
def test_no_path_leads_out_of_the_lake(tmp_path: Path, path: str) -> None:
    for name in ("lake", "lake2", "a"):
        (tmp_path / name).mkdir()
    (tmp_path / "lake" / "link").symlink_to(tmp_path / "lake2")
    place = LocalPlace(tmp_path / "lake")
    before = sorted(tmp_path.rglob("*"))
    for write in (place.path, place.make_folder, place.remove, lambda p: place.put_new(p, b"")):
        with pytest.raises((PlaceError, ValueError)):
            write(path if path != "link/x" or write != place.make_folder else "link/x/y")
    assert sorted(tmp_path.rglob("*")) == before


def test_r2d2s_own_folder_as_a_link_out_of_the_lake_is_never_written_through(
    lake: Path, run: Path, tmp_path: Path, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = approved(lake, run)
    list(apply(journal_of(lake), plan, run))
    for name in ("_r2d2", "_r2d2/quarantine", "_r2d2/journal", "_r2d2/records"):
        there = tmp_path / "elsewhere"
        (lake / name).rename(there)
        (lake / name).symlink_to(there)
        before, outside = files_of_lake(lake), stats(there)
        for words in (
            ["undo", "--all", str(lake), "--yes"],
            ["purge", str(lake), "--config", now, "--yes"],
            ["rebuild", "rome", str(lake)],
            ["fsck", str(lake), "--yes"],
            ["apply", str(run / "plan.json"), "--yes", "--no-catalogue"],
        ):
            assert main(words) != 0 or "records" in name, (name, words)
        files = [path for path in there.rglob("*") if path.is_file()]
        assert {str(f): stats(there)[str(f)] for f in files} == {
            path: about for path, about in outside.items() if Path(path).is_file()
        }
        assert files_of_lake(lake) == before
        assert "Traceback" not in capsys.readouterr().err
        (lake / name).unlink()
        there.rename(lake / name)


@pytest.mark.parametrize("place", ["../lake2/oslo.parquet", "/lake2/oslo.parquet", "rome/../x"])
def test_a_plan_whose_paths_lead_elsewhere_moves_nothing(
    lake: Path, run: Path, tmp_path: Path, place: str
) -> None:
    write_lake(tmp_path / "lake2")
    plan = json.loads(json.dumps(planned(lake, run)))
    entry = next(each for each in plan["tables"] if each["table"] == "oslo.parquet")
    entry["files"][0][0] = place
    plan["sha256"] = digest(plan)
    (run / "plan.json").write_text(json_text(plan))
    before = files_of_lake(tmp_path)
    for words in (["approve"], ["apply", "--yes", "--no-catalogue"]):
        assert main([words[0], str(run / "plan.json"), *words[1:]]) != 0
    assert files_of_lake(tmp_path) == before


def test_names_are_no_patterns(tmp_path: Path, run: Path, now: str) -> None:
    lake = tmp_path / "lake"
    children = write_hostile_lake(lake, ["*", "a*", "ab", "[a]b", "a?"])
    plan = approved(lake, run)
    assert deleted_tables(plan) == sorted(children)
    list(apply(journal_of(lake), plan, run))
    list(undo(journal_of(lake), ["ab.parquet", "a?.parquet"]))
    assert all(isinstance(each, Purged) for each in purge(journal_of(lake), 0.0))
    left = {location for location in children if (lake / location).exists()}
    assert left == {"ab.parquet", "a?.parquet"}


# Exports.


def test_no_name_is_a_formula_in_a_csv_and_no_line_break_makes_a_line(
    tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = tmp_path / "lake"
    children = write_hostile_lake(lake, ["=1+1", "@sum", "+1", "-1", "a\n=1", "\t=1", "b\r=2"])
    plan = approved(lake, run)
    for words in (["plan", "show", str(run / "plan.json")], ["edges", str(run)]):
        assert main([*words, "--csv"]) == 0
        (run / f"{words[0]}_shown.csv").write_text(capsys.readouterr().out, newline="")
    found = set[str]()
    for path in run.rglob("*.csv"):
        with path.open(newline="") as lines:
            cells = {cell for row in csv.reader(lines) for cell in row}
        assert not [cell for cell in cells if cell.lstrip(" ").startswith(FORMULAS)], path
        found |= {cell.removeprefix("'") for cell in cells}
    assert {*children} <= found
    list(apply(journal_of(lake), plan, run))
    assert main(["audit", str(lake)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == len(records(lake)) + 1
    assert main(["status", str(lake)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(children) + 1


def test_a_record_is_one_json_object_of_ascii_lines(tmp_path: Path, run: Path) -> None:
    lake = tmp_path / "lake"
    forged = 'x\n}\n{"number": 1, "event": "purged", "deletion": "y"'
    children = write_hostile_lake(lake, [forged, "\u2028{}", "\x85{}"])
    plan = approved(lake, run)
    assert deleted_tables(plan) == sorted(children)
    list(apply(journal_of(lake), plan, run))
    for number, path in enumerate(records(lake), 1):
        text = path.read_bytes().decode("ascii")
        assert json.loads(text)["number"] == number
    tombstones = [json.loads(path.read_text()) for path in lake.rglob("*deleted-by-r2d2.json")]
    assert {each["table"] for each in tombstones} == {*children}


# Secrets.


@pytest.mark.slow
def test_a_secret_in_any_input_is_in_no_output_record_or_error(
    lake: Path, run: Path, tmp_path: Path, now: str
) -> None:
    unknown = tmp_path / "unknown.toml"
    unknown.write_text(f'[deletion]\npassword = "{CANARY}"\n')
    broken = tmp_path / "broken.toml"
    broken.write_text(f'[deletion]\npassword = "{CANARY}\n')
    approved(lake, run)
    plan = str(run / "plan.json")
    urls = (
        f"s3://key:{CANARY}@bucket/lake",
        f"abfss://box@owner.dfs.core.windows.net/lake?sv=1&sig={CANARY}",
        f"s3://bucket/lake/rome?X-Amz-Signature={CANARY}",
        f"https://host/lake?token={CANARY}",
    )
    commands = [
        ["apply", plan, "--yes", "--no-catalogue"],
        ["status", str(lake)],
        ["status", str(lake), "--json"],
        ["fsck", str(lake)],
        ["audit", str(lake), "--json"],
        ["undo", "rome", str(lake), "--yes"],
        ["purge", str(lake), "--config", now, "--yes"],
        ["rebuild", "half.parquet", str(lake)],
        *(["status", str(lake), "--config", str(path)] for path in (unknown, broken)),
        *([verb, url] for verb in ("status", "purge", "find") for url in urls),
        *(["undo", url, str(lake)] for url in urls),
        *(["rebuild", url, str(lake), "--to", str(tmp_path / "to")] for url in urls),
        *(["apply", url, "--yes"] for url in urls),
    ]
    script = (
        "import json, sys; from r2d2.cli import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    try: print(words[0], main(words), flush=True)\n"
        "    except SystemExit as end: print(words[0], end.code, flush=True)\n"
    )
    secret = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY")
    more = ("GOOGLE_APPLICATION_CREDENTIALS", "R2D2_APPLY_PASSWORD", "PASSWORD")
    environment = {**os.environ, **dict.fromkeys([*secret, *more], CANARY)}
    words = [sys.executable, "-c", script, json.dumps(commands)]
    ended = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    codes = [line.split() for line in ended.stdout.splitlines() if line[-2:] in (" 0", " 1", " 2")]
    assert [code for _, code in codes[:5]] == ["0"] * 5
    assert {code for _, code in codes[-len(urls) * 3 :]} <= {"1", "2"}
    told = ended.stdout + ended.stderr
    assert not [line for line in told.splitlines() if CANARY in line]
    written = [path for folder in (lake, run) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in written if CANARY.encode() in path.read_bytes()]


# Files made.


def test_what_r2d2_makes_is_for_its_owner_alone(lake: Path, run: Path) -> None:
    was = {path: path.stat().st_mode for path in lake.rglob("*")}
    before = os.umask(0)
    try:
        plan = approved(lake, run)
        list(apply(journal_of(lake), plan, run))
        list(purge(journal_of(lake), 0.0))
        list(rebuild(journal_of(lake), ["rome"], None))
        list(rebuild(journal_of(lake), ["half.parquet"], run.with_name("back")))
    finally:
        os.umask(before)
    made = [path for path in (*lake.rglob("*"), run, *run.rglob("*")) if path not in was]
    made += [path for path in lake.rglob("*") if path in was and "rome" in path.parts]
    assert len(made) > 40
    modes = {path: oct(stat.S_IMODE(path.stat().st_mode)) for path in made}
    wrong = {
        path: mode for path, mode in modes.items() if mode != oct(0o700 if path.is_dir() else 0o600)
    }
    assert not wrong


# Bombs.


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file of the parent's columns that declares to hold more than a gibibyte."""
    path, count = tmp_path_factory.mktemp("bomb") / "bomb.parquet", 1 << 16
    rows = pa.table({"id": [0] * count, "city": ["Oslo"] * count, "note": ["n" * 1024] * count})
    options = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    with pq.ParquetWriter(path, rows.schema, **options) as writer:
        for _ in range(17):
            writer.write_table(rows)
    assert path.stat().st_size < 1 << 19
    return path


def sparse(path: Path, size_bytes: int = 1 << 42) -> None:
    """A file that says that it has so many bytes, and takes none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(size_bytes)


@pytest.mark.parametrize("what", ["head.json", "journal", "records/deletion.json", "residuals"])
def test_a_file_of_r2d2s_that_says_it_is_huge_is_told_and_not_read(
    lake: Path, run: Path, what: str
) -> None:
    plan = approved(lake, run)
    list(apply(journal_of(lake), plan, run))
    folder, _, name = what.rpartition("/")
    victims = {
        "head.json": [lake / "_r2d2" / "head.json"],
        "journal": records(lake)[1:2],
        "residuals": list((lake / "_r2d2" / "records").glob("*/residuals/*")),
    }.get(what) or list((lake / "_r2d2" / folder).glob(f"*/{name}"))
    sparse(victims[0])
    if what in ("head.json", "journal"):
        with pytest.raises(JournalError, match="bytes"):
            journal_of(lake)
        return
    steps = list(purge(journal_of(lake), 0.0))
    if what == "residuals":
        assert [s.table for s in steps if isinstance(s, NotPurged)] == ["half.parquet"]
    assert len([s for s in steps if isinstance(s, Purged)]) >= 2


def test_a_bomb_in_a_parents_place_ends_one_table_and_not_the_run(
    tmp_path: Path, run: Path, bomb: Path
) -> None:
    """Two families, each with a parent; one parent is a bomb by now."""
    lake = tmp_path / "lake"
    write_lake(lake / "a")
    write_lake(lake / "b")
    for path in (lake / "b").rglob("*.parquet"):
        table = pq.read_table(path)
        ids = pa.array([number + 1000 for number in table["id"].to_pylist()])
        pq.write_table(table.set_column(0, "id", ids), path)
    plan = approved(lake, run)
    gone = deleted_tables(plan)
    assert [name[0] for name in gone] == ["a"] * 3 + ["b"] * 3
    list(apply(journal_of(lake), plan, run))
    shutil.copy(bomb, lake / "b" / "whole.parquet")
    back = list(rebuild(journal_of(lake), gone, tmp_path / "back"))
    assert {b.rebuilt.table for b in back if isinstance(b, Back)} == {*gone[:3]}
    assert {b.table for b in back if isinstance(b, LostTable)} == {*gone[3:]}
    assert list(discrepancies(journal_of(lake))) == []
    steps = list(purge(journal_of(lake), 0.0))
    assert {s.table for s in steps if isinstance(s, Purged)} == {*gone[:3]}
    assert {s.table for s in steps if isinstance(s, NotPurged)} == {*gone[3:]}
    in_place = list(rebuild(journal_of(lake), gone[:1], None))
    assert all(isinstance(each, Back) for each in in_place)


def test_a_bomb_in_a_tables_place_is_refused_by_apply_and_the_others_go(
    lake: Path, run: Path, bomb: Path
) -> None:
    plan = approved(lake, run)
    shutil.copy(bomb, lake / "oslo.parquet")
    steps = list(apply(journal_of(lake), plan, run))
    assert [s.table for s in steps if isinstance(s, Refused)] == ["oslo.parquet"]
    assert {s.table for s in steps if isinstance(s, Applied)} == {"half.parquet", "rome"}


# Plan tampering, and the audit.


def test_an_applied_plan_applied_again_is_a_no_op(lake: Path, run: Path) -> None:
    plan = approved(lake, run)
    list(apply(journal_of(lake), plan, run))
    before = {path: about for path, about in stats(lake).items() if "_r2d2" not in path}
    again = list(apply(journal_of(lake), plan, run))
    assert all(isinstance(step, Applied) and step.again for step in again)
    assert before == {path: about for path, about in stats(lake).items() if "_r2d2" not in path}
    quarantined = [path for path in (lake / "_r2d2" / "quarantine").rglob("*") if path.is_file()]
    assert len(quarantined) == 5


def test_any_flipped_bit_of_a_plan_refuses(lake: Path, run: Path) -> None:
    approved(lake, run)
    check_flips_of_a_plan(run / "plan.json", 40)


@pytest.mark.parametrize("what", ["dropped", "last dropped", "swapped", "edited", "added"])
def test_audit_fails_where_a_record_was_tampered_with(
    lake: Path, run: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = approved(lake, run)
    list(apply(journal_of(lake), plan, run))
    assert main(["audit", str(lake)]) == 0
    one, other, *_, last = records(lake)
    match what:
        case "dropped":
            other.unlink()
        case "last dropped":
            last.unlink()
        case "swapped":
            first, second = one.read_bytes(), other.read_bytes()
            one.write_bytes(second)
            other.write_bytes(first)
        case "edited":
            other.write_text(other.read_text().replace('"by": "', '"by": "not '))
        case "added":
            last.with_name(f"{int(last.stem) + 1:010}.json").write_bytes(last.read_bytes())
    for verb in (["audit"], ["status"], ["fsck"], ["undo", "--all"], ["purge"], ["find"]):
        assert main([*verb, str(lake)]) == 1
        assert "as it was written" in capsys.readouterr().err.replace("\n", " ")


# Least privilege.


@pytest.mark.slow
def test_finding_planning_and_looking_need_only_to_read(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that gives root's rights away, where it has them."""
    folder = open_folder
    lake, run, own = folder / "lake", folder / "run", folder / "own"
    monkeypatch.setenv("R2D2_UMASK", "022")
    write_lake(lake)
    applied = approved(lake, run)
    list(apply(journal_of(lake), applied, run))
    for path in (run, *run.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    own.mkdir(mode=0o777)
    own.chmod(0o777)
    for path in (lake, *lake.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    plan, place = str(own / "run" / "plan.json"), str(lake)

    def reading(own: Path) -> list[list[str]]:
        again = str(own / "run")
        return [
            ["find", place, "--out", again],
            ["tables", place],
            ["plan", "--run", again],
            ["report", again],
            ["check", f"{again}/plan.json"],
            *([verb, place] for verb in ("status", "fsck", "audit", "purge")),
            ["undo", "--all", place],
            ["apply", str(run / "plan.json")],
            ["rebuild", "rome", place, "--to", str(own / "back")],
        ]

    reads = reading(own)
    writes = [
        ["apply", str(run / "plan.json"), "--yes", "--no-catalogue"],
        ["undo", "--all", place, "--yes"],
        ["purge", place, "--yes"],
        ["rebuild", "rome", place],
        ["fsck", place, "--yes"],
        ["approve", plan],
    ]
    before = stats(lake)
    codes, told = as_nobody(reading(folder / "warm"), [*reads, *writes], folder)
    assert codes[: len(reads)] == [0] * len(reads), told
    assert codes[len(reads) :] == [1] * len(writes), told
    assert "Traceback" not in told
    assert stats(lake) == before


def as_nobody(
    first: list[list[str]], commands: list[list[str]], folder: Path
) -> tuple[list[int], str]:
    """The commands' exit codes and what they told, of a user who owns nothing.

    Others go first, who may read all that Python imports.
    """
    script = (
        "import encodings.ascii, gzip, json, os, sys; from r2d2.cli import main\n"
        "for words in json.loads(sys.argv[2]): main(words)\n"
        f"os.getuid() or os.setgroups([]) or os.setgid({NOBODY}) or os.setuid({NOBODY})\n"
        "os.environ.pop('R2D2_UMASK', None)\n"
        "print(json.dumps([main(words) for words in json.loads(sys.argv[1])]))\n"
    )
    words = [sys.executable, "-c", script, json.dumps(commands), json.dumps(first)]
    ended = subprocess.run(words, capture_output=True, text=True, cwd=folder)
    told = ended.stdout + ended.stderr
    assert ended.returncode == 0, told
    return json.loads(ended.stdout.splitlines()[-1]), told
