"""A storage travels without secrets and connects where it arrives."""

import multiprocessing
import os
import pickle
import traceback

import pytest

from r2d2.errors import LakeError, R2D2Error
from r2d2.model import FileInfo
from r2d2.storage.connection import Patience
from r2d2.storage.objects import ObjectStorage
from tests.support.servers import SECRET
from tests.support.storage.buckets import SHORT, Bucket, named


def read_elsewhere(carried: bytes, file: FileInfo) -> tuple[bytes, int]:
    """What another process reads with a storage that came as bytes, and its count of requests."""
    storage: ObjectStorage = pickle.loads(carried)
    return storage.read(file), storage.requests


def test_a_spawned_process_reads_with_a_connection_of_its_own(bucket: Bucket) -> None:
    bucket.put("lake/a", b"content")
    storage = bucket.storage()
    file = named(storage.list(), "a")
    assert storage.read(file) == b"content"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(read_elsewhere, (pickle.dumps(storage), file)) == (b"content", 1)


def test_settings_that_the_other_process_lacks_travel_along(
    small_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_bucket.put("lake/a", b"content")
    storage = small_bucket.storage()
    file = named(storage.list(), "a")
    for name in ("AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP", "AWS_REGION"):
        monkeypatch.delenv(name)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(read_elsewhere, (pickle.dumps(storage), file)) == (b"content", 1)


def test_copies_in_one_process_share_the_count(small_bucket: Bucket) -> None:
    small_bucket.put("lake/a", b"content")
    storage = small_bucket.storage()
    copy: ObjectStorage = pickle.loads(pickle.dumps(storage))
    copy.read(named(storage.list(), "a"))
    assert copy == storage
    assert copy.requests == storage.requests == 2


def test_a_forked_process_is_told_so_instead_of_hanging(small_bucket: Bucket) -> None:
    small_bucket.put("lake/a", b"content")
    storage = small_bucket.storage()
    storage.list()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ObjectStorage(storage.url, SHORT).list()
        except LakeError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        assert b"start workers by `spawn`" in said.read()
    os.waitpid(child, 0)


def test_no_secret_is_in_repr_pickle_or_errors(
    small_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", SECRET)
    small_bucket.put("lake/a", b"content")
    storage = small_bucket.storage()
    file = named(storage.list(), "a")
    texts = [repr(storage), str(storage), repr(pickle.dumps(storage))]
    hasty = small_bucket.storage(patience=Patience(silence_s=0.3, retries=0))
    for fault in ("deny", "error", "silent", "cut"):
        small_bucket.misbehave(everything=fault)
        for attempt in (lambda: hasty.read(file), hasty.list):
            with pytest.raises(R2D2Error) as caught:
                attempt()
            texts.append("".join(traceback.format_exception(caught.value)))
            texts.append(repr(pickle.dumps(caught.value)))
    assert not [text for text in texts if SECRET in text]
