"""The logs that `tests/vmcost/oracle` compares, as both readers get them."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from r2d2.vmcost.events.codecs import chunks
from r2d2.vmcost.events.problems import LogProblemCounts
from tests.conftest import SHARED
from tests.support.vmcost.random_logs import random_log

OWN = Path(__file__).parents[2] / "vmcost" / "logs"
OTHERS = SHARED / "event-logs"
RANDOM_SEEDS = range(40)


@dataclass(frozen=True, slots=True)
class Case:
    """A log; `given` is what the other reader gets, None where a case before has the same run."""

    name: str
    path: Path
    given: Path | None


def cases(scratch: Path) -> list[Case]:
    """Our own logs, those of others where they are beside this checkout, and random ones."""
    scratch.mkdir()
    return [*_files(OWN, scratch), *_others(scratch), *_random(scratch)]


def _files(folder: Path, scratch: Path) -> Iterator[Case]:
    """The files of a folder, by names that the tool takes for logs: no dot but the codec's."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix != ".md":
            codec = path.suffix if path.suffix == ".zstd" else ""
            given = scratch / (path.name.removesuffix(codec).replace(".", "-") + codec)
            shutil.copyfile(path, given)
            yield Case(path.name, path, given)


def _others(scratch: Path) -> Iterator[Case]:
    if not OTHERS.is_dir():
        print(f"without the logs of others: no {OTHERS}")
        return
    yield from _files(OTHERS, scratch)
    yield from _files(OTHERS / "damaged", scratch)
    for folder in sorted(OTHERS.glob("*/eventlog_v2_*")):
        given = scratch / folder.name
        shutil.copytree(folder, given)
        yield Case(f"{folder.parent.name}/", folder, given)
    yield Case("databricks-rolled/", OTHERS / "databricks-rolled", None)
    for path in sorted((OTHERS / "emr-attempts").iterdir()):
        yield _under_another_id(path, scratch / path.stem)


def _under_another_id(path: Path, given: Path) -> Case:
    """An attempt as an application of its own: the tool reads but the last of each."""
    text = b"".join(chunks(path, LogProblemCounts()))
    given.write_bytes(re.sub(rb'("App ID":"[^"]+)"', rb'\1_%s"' % given.name.encode(), text))
    return Case(path.name, given, given)


def _random(scratch: Path) -> Iterator[Case]:
    for seed in RANDOM_SEEDS:
        log = random_log(seed)
        given = scratch / f"random-{seed}"
        given.write_text(log.text(), encoding="utf-8")
        yield Case(given.name, given, given)


def told_ends_ms(path: Path) -> list[int]:
    """The ends of jobs and of SQL executions that a log's files tell, decoded line by line."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = []
    for file in files:
        for line in b"".join(chunks(file, LogProblemCounts())).splitlines():
            if b'SparkListenerJobEnd"' in line:
                found.append(json.loads(line)["Completion Time"])
            elif b'SparkListenerSQLExecutionEnd"' in line:
                found.append(json.loads(line)["time"])
    return found
