"""The journal's records as they are written: numbered, chained, by the one runner with the lease.

A record is refused where others wrote one since this runner last read or wrote. So a runner that
paused, and whose lease was taken over, writes no more. A lease is a record, too; it ends when its
runner says so, or was silent for `LEASE`, or is known to be dead.
"""

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import Any

from r2d2.deletion.place import LakePlace
from r2d2.errors import R2D2Error, UsageError
from r2d2.lake.deletions import (
    HEAD,
    HOME,
    JOURNAL,
    Data,
    Deletion,
    Event,
    JournalRecord,
    State,
    journal_state,
    read_records,
    record_files,
    record_path,
)
from r2d2.storage.output import json_text
from r2d2.storage.scratch import advice_if_ended
from r2d2.text_tables import shell_word

LEAST_OF_AN_ID = 6
"""So many characters of an id name it, where no other begins so."""
DAYS_A_MONTH = 30.4375
LEASE = timedelta(hours=1)
"""A runner that wrote no record for so long is taken to have stopped."""


class LeaseError(R2D2Error):
    """Another runner works on the lake's deletions, or took this one's place."""


class Journal:
    """A lake's journal: its state, and the one way to write it.

    Raises:
        JournalError: it cannot be read, or is not as it was written.
    """

    def __init__(self, place: LakePlace) -> None:
        self.place = place
        self.state = journal_state(place.storage, place.listing(HOME))
        self.epoch = 0

    def deletion(self, name: str) -> Deletion:
        """The deletion of this id, or of the table at this location that is not live.

        Where there is none of the table, it is the last one that was given up or rebuilt, one
        with files in quarantine before others.

        Raises:
            UsageError: there is none.
        """
        if name in self.state.deletions:
            return self.state.deletions[name]
        if (by_table := self.of_table(name)) is not None:
            return by_table
        ended = (State.GIVEN_UP, State.REBUILT)
        of_name = [d for d in self.state.deletions.values() if d.table == name]
        if last := [d for d in of_name if d.state in ended]:
            return max(last, key=lambda each: (each.is_kept, each.since))
        begin = [d for each, d in self.state.deletions.items() if each.startswith(name)]
        if len(name) >= LEAST_OF_AN_ID and len(begin) == 1:
            return begin[0]
        raise UsageError(f"{name!r}: no deletion of this id or table; `r2d2 status` lists all")

    def of_table(self, location: str) -> Deletion | None:
        """The deletion by which the table is not live, None where it is."""
        return self.state.of_table(location)

    def append(self, event: Event, deletion: str = "", data: Data | None = None) -> JournalRecord:
        """Writes the next record.

        Raises:
            LeaseError: others wrote one since.
        """
        number = self.state.next_number
        record = JournalRecord(
            number=number,
            previous=self.state.last_sha256,
            at=self.now(),
            by=who(),
            epoch=self.epoch or number,
            event=event,
            deletion=deletion,
            data=data or {},
        )
        content = record.encoded()
        digest = hashlib.sha256(content).hexdigest()
        self.state.check(record)
        try:
            self.place.put_new(record_path(number), content)
        except FileExistsError as error:
            told = f"another runner wrote record {number} of the journal meanwhile"
            raise LeaseError(f"{told}: this one stops") from error
        self.state.add(record, digest)
        self.place.replace(HEAD, json_text({"number": number, "sha256": digest}).encode())
        return record

    def now(self) -> datetime:
        """The journal's clock: this machine's, and never before the last record."""
        now, last = datetime.now(UTC), self.state.last
        return now if last is None else max(now, last.at)

    @contextmanager
    def lease(self, verb: str) -> Iterator[None]:
        """While it lasts, no other runner writes.

        What an error left half done, the next verb settles.

        Raises:
            LeaseError: another runner has it.
        """
        holder = self.state.lease
        if holder is not None and not (_is_over(holder) or _is_left_over(holder)):
            told = f"{holder.by} runs `{holder.data.get('verb')}` since {holder.at:%Y-%m-%d %H:%M}"
            raise LeaseError(f"{told}Z: wait for its end; a runner silent for an hour is passed by")
        self.place.test(verb)
        self.epoch = 0
        settles = f"`r2d2 fsck {shell_word(self.place.storage.url)} --yes` settles what was begun"
        with _leasing(), advice_if_ended(settles):
            self.epoch = self.append(Event.LEASED, data={"verb": verb, **_process()}).number
            try:
                yield
            except Exception:
                with suppress(Exception):
                    self._release()
                raise
            with suppress(LeaseError):
                self._release()

    def renew(self) -> int:
        """Takes the lease anew, for names that nobody knows yet; returns its epoch."""
        lease = self.state.lease
        self.epoch = 0
        data = {} if lease is None else lease.data
        self.epoch = self.append(Event.LEASED, data=data).number
        return self.epoch

    def _release(self) -> None:
        self.append(Event.RELEASED)
        self.epoch = 0


def status_of(journal: Journal, retention_days: float) -> list[dict[str, Any]]:
    """The deletions in the order in which they began; those that were taken back are left out."""
    now = journal.now()
    return [
        _status(deletion, retention_days, now)
        for deletion in journal.state.deletions.values()
        if deletion.state is not State.LIVE
    ]


def _status(deletion: Deletion, retention_days: float, now: datetime) -> dict[str, Any]:
    entry = deletion.record["entry"]
    began = deletion.tombstoned_at or deletion.since
    is_kept = deletion.is_kept or deletion.state is State.PURGING
    is_gone = deletion.state is State.GIVEN_UP and deletion.purge_began and not deletion.is_kept
    until = now if deletion.holds or is_gone else deletion.since
    months = (until - began).total_seconds() / 86400 / DAYS_A_MONTH
    ends = deletion.ends_at(retention_days) if is_kept else None
    return {
        "id": deletion.id,
        "table": deletion.table,
        "state": deletion.state.value,
        "since": deletion.since.isoformat(),
        "purge_after": None if ends is None else ends.isoformat(),
        "size_bytes": entry["size_bytes"],
        "rows": entry["evidence"]["rows"],
        "recipe": entry["recipe"],
        "parents": deletion.parents,
        "holds": deletion.parents if deletion.holds else [],
        "rebuild_p95_s": entry["rebuild_p95_s"],
        "latency_limit_s": entry["latency_limit_s"],
        "saving_usd_per_month": entry["saving_usd_per_month"],
        "saved_usd": entry["saving_usd_per_month"] * months,
        "plan_sha256": deletion.record["plan_sha256"],
    }


def records_of(place: LakePlace) -> Iterator[tuple[JournalRecord, str]]:
    """All records of the journal in order, each with the SHA-256 of its bytes.

    Raises:
        JournalError: one is missing, or is not as it was written.
    """
    return read_records(place.storage, record_files(place.listing(JOURNAL).files))


def who() -> str:
    """The user and the machine of this process."""
    try:
        return f"{getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return f"{os.getuid()}@{socket.gethostname()}"


def _process() -> dict[str, Any]:
    """This process, so that others on its machine can tell whether it lives."""
    return {"host": _machine(), "pid": os.getpid(), "started": _started(os.getpid())}


def _machine() -> str:
    """The machine since its last start, and its processes' numbering, which a container has of its
    own; "" where they cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process of this machine started, by its own clock; "" where there is none."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return told.rsplit(")", 1)[1].split()[19]


_leases = list[int]()
"""One for each lease that this process works under."""


@contextmanager
def _leasing() -> Iterator[None]:
    _leases.append(1)
    try:
        yield
    finally:
        _leases.pop()


def _is_left_over(lease: JournalRecord) -> bool:
    """Whether it is of this very process, which could not give it back, as on a full disk."""
    return not _leases and bool(lease.data.get("host")) and _process().items() <= lease.data.items()


def _is_over(lease: JournalRecord) -> bool:
    told = lease.data
    if told.get("host") and told["host"] == _machine():
        return bool(_started(int(told["pid"])) != told["started"])
    # Of a machine whose clock is ahead, too.
    return abs(datetime.now(UTC) - lease.at) > LEASE
