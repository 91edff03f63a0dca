"""A lake with as many deletions as are asked for, in which only the first is one that was made."""

import copy
import hashlib
import shutil
from pathlib import Path
from uuid import UUID

from r2d2.deletion.verbs.apply import apply
from r2d2.lake.deletions import HEAD, Event, JournalRecord, record_path
from r2d2.storage.output import json_text
from tests.support.deletion.small_lake import approved, journal_of, write_lake


def write_long_journal(lake: Path, deletions: int) -> None:
    """A lake whose tables `t/NUMBER.parquet` were deleted, every other one purged, too."""
    write_lake(lake)
    run = lake.with_name(f"{lake.name}.run")
    plan = approved(lake, run)
    list(apply(journal_of(lake), plan, run))
    state = journal_of(lake).state
    made = next(each for each in state.deletions.values() if each.table == "oslo.parquet")
    (moved,) = (lake / "_r2d2" / "quarantine" / made.id).rglob("*.parquet")
    last, digest = state.last, state.last_sha256
    assert last is not None
    number = last.number
    for place in range(deletions):
        name, table = UUID(int=place + 1).hex, f"t/{place:05}.parquet"
        data = copy.deepcopy(made.record)
        data["entry"]["table"] = data["entry"]["files"][0][0] = table
        kept = lake / "_r2d2" / "records" / name / "deletion.json"
        kept.parent.mkdir()
        kept.write_text(json_text({"id": name, **data}))
        epoch = number + 1
        told = {"moved": {table: list(made.moved["oslo.parquet"])}}
        steps = [(Event.LEASED, "", {"verb": "apply"}), (Event.MARKED, name, data)]
        steps.append((Event.TOMBSTONED, name, told))
        if place % 2:
            steps += [(Event.PURGING, name, {}), (Event.PURGED, name, {})]
        else:
            copied = lake / "_r2d2" / "quarantine" / name / str(epoch) / table
            copied.parent.mkdir(parents=True)
            shutil.copy2(moved, copied)
        for event, deletion, told in [*steps, (Event.RELEASED, "", {})]:
            number += 1
            record = JournalRecord(number, digest, last.at, "a@b", epoch, event, deletion, told)
            content = record.encoded()
            digest = hashlib.sha256(content).hexdigest()
            (lake / record_path(number)).write_bytes(content)
    (lake / HEAD).write_text(json_text({"number": number, "sha256": digest}))
