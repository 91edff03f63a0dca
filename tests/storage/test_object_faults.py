"""What a store does wrong names the file and the reason, and ends in time."""

import time
from collections.abc import Callable

import pytest

from r2d2.errors import DeniedError, LakeError, UnreadableTableError, UsageError
from r2d2.lake.deletions import HEAD, JournalError, journal_state, record_path
from r2d2.model import FileInfo
from r2d2.storage.connection import Patience
from r2d2.storage.objects import ObjectStorage
from tests.support.storage.buckets import SHORT, Bucket, named

CONTENT = bytes(300_000)


def test_a_file_deleted_after_the_listing_has_vanished(bucket: Bucket) -> None:
    bucket.put("lake/a", CONTENT)
    bucket.put("lake/b", CONTENT)
    storage = bucket.storage()
    listing = storage.list()
    bucket.delete("lake/a")
    with pytest.raises(UnreadableTableError, match=r"^a: vanished since it was listed$"):
        storage.read(named(listing, "a"))
    assert storage.read(named(listing, "b")) == CONTENT


@pytest.mark.parametrize("size", [300_000, 10, 400_000])
def test_a_file_replaced_after_the_listing_has_changed(bucket: Bucket, size: int) -> None:
    bucket.put("lake/a", CONTENT)
    storage = bucket.storage()
    file = named(storage.list(), "a")
    bucket.put("lake/a", b"x" * size)
    for start in (0, -1000):
        with pytest.raises(UnreadableTableError, match=r"^a: changed since it was listed$"):
            storage.read(file, start)


def test_a_file_replaced_where_etags_are_not_known_has_changed(bucket: Bucket) -> None:
    bucket.put("lake/a", CONTENT)
    bucket.put("lake/x//y", b"")
    storage = bucket.storage()
    file = named(storage.list(), "a")
    assert storage.read(file) == CONTENT
    bucket.put("lake/a", CONTENT + b"more")
    with pytest.raises(UnreadableTableError, match=r"^a: changed since it was listed$"):
        storage.read(file)


def test_a_file_replaced_where_the_store_is_deaf_to_if_match_has_changed(
    small_bucket: Bucket,
) -> None:
    small_bucket.put("lake/a", CONTENT)
    storage = small_bucket.storage()
    file = named(storage.list(), "a")
    small_bucket.misbehave(a="deaf")
    assert storage.read(file) == CONTENT
    small_bucket.put("lake/a", b"x" * len(CONTENT))
    for start in (0, -1000):
        with pytest.raises(UnreadableTableError, match=r"^a: changed since it was listed$"):
            storage.read(file, start)


def test_a_denied_file_is_named_and_the_others_are_read(small_bucket: Bucket) -> None:
    for name in "ab":
        small_bucket.put(f"lake/{name}", CONTENT)
    storage = small_bucket.storage()
    listing = storage.list()
    small_bucket.misbehave(a="deny")
    for _ in range(SHORT.failures + 1):
        with pytest.raises(DeniedError, match=r"^a: access denied by the store$"):
            storage.read(named(listing, "a"))
    assert storage.read(named(listing, "b")) == CONTENT


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("error", "the store answered 500 Internal Server Error, InternalError"),
        ("silent", "no answer from the store for 0.3 s"),
        ("stall", "no answer from the store for 0.3 s"),
        ("cut", "the connection to the store failed"),
    ],
)
def test_a_file_that_does_not_come_is_named(small_bucket: Bucket, fault: str, reason: str) -> None:
    for name in "ab":
        small_bucket.put(f"lake/{name}", CONTENT)
    listing = small_bucket.storage().list()
    hasty, patient = small_bucket.storage(patience=SHORT), small_bucket.storage()
    small_bucket.misbehave(a=fault)
    assert reason_of(hasty.read, named(listing, "a")) == reason
    assert patient.read(named(listing, "b")) == CONTENT


LATER, LET_READ = "try again when the store answers", "let this user read it, or take one who may"


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [("error", LATER), ("silent", LATER), ("cut", LATER), ("deny", LET_READ)],
)
@pytest.mark.parametrize("path", [record_path(1), HEAD])
def test_a_journal_that_does_not_come_or_is_denied_is_not_to_be_mended(
    small_bucket: Bucket, path: str, fault: str, remedy: str
) -> None:
    small_bucket.put(f"lake/{path}", b"{}")
    storage = small_bucket.storage(patience=SHORT)
    listing = storage.list()
    small_bucket.misbehave(**{path: fault})
    with pytest.raises(JournalError, match=f"; {remedy}: it tells what"):
        journal_state(storage, listing)


def test_one_file_that_never_comes_does_not_keep_the_others(small_bucket: Bucket) -> None:
    for name in "ab":
        small_bucket.put(f"lake/{name}", CONTENT)
    storage = small_bucket.storage(patience=Patience(retries=0))
    listing = storage.list()
    small_bucket.misbehave(a="cut")
    for _ in range(2 * SHORT.failures):
        reason = reason_of(storage.read, named(listing, "a"))
        assert reason == "the connection to the store failed"
        assert storage.read(named(listing, "b")) == CONTENT


def test_a_fault_that_passes_is_not_seen(small_bucket: Bucket) -> None:
    """Our server cuts one answer; obstore goes on from where it was."""
    small_bucket.put("lake/a", CONTENT)
    storage = small_bucket.storage()
    file = named(storage.list(), "a")
    small_bucket.misbehave(a="cut once")
    assert storage.read(file) == CONTENT


def test_a_killed_server_is_not_asked_for_ever(mortal_bucket: Bucket) -> None:
    for number in range(20):
        mortal_bucket.put(f"lake/{number:02d}", CONTENT)
    storage = mortal_bucket.storage(patience=Patience(retries=1))
    files = storage.list().files
    assert storage.read(files[0]) == CONTENT
    before = storage.requests
    mortal_bucket.server.kill()
    reasons = [reason_of(storage.read, file) for file in files]
    assert storage.requests == before + SHORT.failures
    assert set(reasons[: SHORT.failures]) == {"the connection to the store failed"}
    assert set(reasons[SHORT.failures :]) == {"store does not answer"}


def test_a_server_that_stops_answering_ends_the_reading_in_time(mortal_bucket: Bucket) -> None:
    for number in range(20):
        mortal_bucket.put(f"lake/{number:02d}", CONTENT)
    files = mortal_bucket.storage().list().files
    storage = mortal_bucket.storage(patience=SHORT)
    mortal_bucket.server.pause()
    before = storage.requests
    reasons = [reason_of(storage.read, file) for file in files]
    silence, gone = "no answer from the store for 0.3 s", "store does not answer"
    assert reasons == [silence] * 2 + [gone] * 18
    assert storage.requests == before + 2


def test_silence_costs_one_request_no_more_than_its_patience(small_bucket: Bucket) -> None:
    small_bucket.put("lake/a", CONTENT)
    file = named(small_bucket.storage().list(), "a")
    small_bucket.misbehave(a="stall")
    began = time.monotonic()
    reason_of(small_bucket.storage(patience=SHORT).read, file)
    assert SHORT.silence_s <= time.monotonic() - began < worst_s(SHORT) + 2
    assert worst_s(Patience()) < 10


def worst_s(patience: Patience) -> float:
    """No try begins after `retry_s`, and none lasts longer in silence than `silence_s`."""
    return patience.retry_s + max(patience.silence_s, patience.connect_s)


def test_a_lake_can_be_read_anew_after_its_store_was_away(small_bucket: Bucket) -> None:
    small_bucket.put("lake/a", CONTENT)
    storage = small_bucket.storage(patience=Patience(retries=0))
    file = named(storage.list(), "a")
    small_bucket.misbehave(everything="cut")
    for _ in range(SHORT.failures):
        reason_of(storage.read, file)
    small_bucket.misbehave()
    assert reason_of(storage.read, file) == "store does not answer"
    assert small_bucket.storage().read(file) == CONTENT


def reason_of(read: Callable[[FileInfo], bytes], file: FileInfo) -> str:
    """Why a file is not read, without its name."""
    with pytest.raises(UnreadableTableError) as caught:
        read(file)
    return str(caught.value).removeprefix(f"{file.path}: ")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("again", "tells the same objects again and again"),
        ("empty", "brought no object for 0.5 s"),
        ("broken off", "ended after 1000 objects, and there are more"),
    ],
)
def test_a_listing_that_does_not_advance_or_breaks_off_ends_with_a_reason(
    fault: str, reason: str, small_bucket: Bucket
) -> None:
    for number in range(1_001):
        small_bucket.put(f"lake/{number}.csv", b"x")
    storage = small_bucket.storage(patience=Patience(listing_s=0.5))
    assert len(storage.list().files) == 1_001
    small_bucket.misbehave(listing=fault)
    with pytest.raises(LakeError, match=reason):
        small_bucket.storage(patience=Patience(listing_s=0.5)).list()


def test_patience_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("R2D2_STORE_SILENCE_S", "30")
    monkeypatch.setenv("R2D2_STORE_RETRIES", "0")
    assert ObjectStorage("s3://bucket/lake").patience == Patience(silence_s=30, retries=0)
    for wrong in ("0", "-1", "nan", "soon"):
        monkeypatch.setenv("R2D2_STORE_SILENCE_S", wrong)
        with pytest.raises(UsageError, match=f"R2D2_STORE_SILENCE_S={wrong}: give a number"):
            ObjectStorage("s3://bucket/lake")
