"""A journal, a record or a file in quarantine that anybody changed is told, and never believed."""

import random
import shutil
from pathlib import Path

import pytest

from r2d2.deletion.verbs.apply import apply
from r2d2.deletion.verbs.purge import NotPurged, purge
from r2d2.deletion.verbs.rebuild import Back, rebuild
from r2d2.deletion.verbs.undo import NotUndone, undo
from r2d2.lake.deletions import JournalError
from r2d2.plan.rebuild import LostTable
from tests.support.deletion.small_lake import approved, journal_of, write_lake

FLIPS = 150


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake whose plan was applied."""
    folder = tmp_path_factory.mktemp("tampering")
    write_lake(folder / "lake")
    plan = approved(folder / "lake", folder / "run")
    list(apply(journal_of(folder / "lake"), plan, folder / "run"))
    return folder


@pytest.fixture
def lake(applied: Path, tmp_path: Path) -> Path:
    """A copy of that lake."""
    return shutil.copytree(applied / "lake", tmp_path / "lake")


def flip(path: Path, chance: random.Random) -> None:
    """One bit of the file is another."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def records(lake: Path) -> list[Path]:
    return sorted((lake / "_r2d2" / "journal").glob("*.json"))


def test_a_journal_with_any_bit_flipped_is_refused(lake: Path) -> None:
    chance = random.Random(15)
    for _ in range(FLIPS):
        path = chance.choice(records(lake))
        content = path.read_bytes()
        flip(path, chance)
        with pytest.raises(JournalError):
            journal_of(lake)
        path.write_bytes(content)
    journal_of(lake)


@pytest.mark.parametrize("which", [0, 3, -1])
def test_a_journal_without_one_of_its_records_is_refused(lake: Path, which: int) -> None:
    records(lake)[which].unlink()
    with pytest.raises(JournalError):
        journal_of(lake)


def test_a_journal_with_two_records_exchanged_is_refused(lake: Path) -> None:
    one, other = records(lake)[2:4]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    with pytest.raises(JournalError):
        journal_of(lake)


def test_a_file_that_changed_in_quarantine_is_not_put_back_but_its_table_is_rebuilt(
    lake: Path, tmp_path: Path
) -> None:
    moved = next((lake / "_r2d2" / "quarantine").glob("*/*/oslo.parquet"))
    flip(moved, random.Random(1))
    (step,) = list(undo(journal_of(lake), ["oslo.parquet"]))
    assert isinstance(step, NotUndone)
    assert "SHA-256" in step.reason
    assert not (lake / "oslo.parquet").exists()
    (back,) = list(rebuild(journal_of(lake), ["oslo.parquet"], tmp_path / "back"))
    assert isinstance(back, Back)


def test_a_list_of_rows_that_changed_rebuilds_nothing_and_purges_nothing(
    lake: Path, tmp_path: Path
) -> None:
    residual = next((lake / "_r2d2" / "records").glob("*/residuals/*"))
    flip(residual, random.Random(2))
    (lost,) = list(rebuild(journal_of(lake), ["half.parquet"], tmp_path / "back"))
    assert isinstance(lost, LostTable)
    stays = [step for step in purge(journal_of(lake), 0.0) if isinstance(step, NotPurged)]
    assert [step.table for step in stays] == ["half.parquet"]
