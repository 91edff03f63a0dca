"""A small S3-compatible server that counts its requests and misbehaves on demand.

Run as a program: it prints its port, serves it on loopback, and ends with its standard input.
It stands beside a real server (moto), which is too slow for 10,000 objects and cannot misbehave.
Signatures are not checked. `GET /-/requests` tells how many requests of each kind came, and bytes
went. `POST /-/faults` sets `{key: fault}`, `*` for all keys; a fault is deny or error (which repeat
the session token, as S3 does), silent, stall (half of the body, then nothing), cut, cut once,
or deaf (to If-Match); of a listing (`LIST`), again (one page for ever), empty (no object for ever)
or broken off (more, it says, but not from where).
`POST /-/load` offers a folder's files as objects.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.storage.s3_bucket import Bucket, StoredObject, element

CODES = {403: "AccessDenied", 404: "NoSuchKey", 412: "PreconditionFailed", 416: "InvalidRange"}
REFUSALS = {"deny": 403, "error": 500}
FOREVER_S = 3600


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_control(self) -> bool:
        """Whether it is for this server and not for S3."""
        return self.path.startswith("/-/")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `length` differs from the body's where only a head was asked for."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None

    @property
    def head(self) -> bytes:
        """Status line and headers."""
        length = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


@dataclass(slots=True)
class Server:
    """Buckets, faults and counts."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def answer(self, request: Request) -> Answer:
        """What S3 would say."""
        if request.is_control:
            return self._control(request)
        name, _, key = request.path[1:].partition("/")
        if request.method == "PUT" and not key:
            self.buckets.setdefault(name, Bucket())
            return Answer(200)
        listing = request.method == "GET" and not key
        self.counts["LIST" if listing else request.method] += 1
        if (fault := self.fault(request)) in REFUSALS:
            return refusal(REFUSALS[fault], request.headers.get("x-amz-security-token", ""))
        if name not in self.buckets:
            return refusal(404, code="NoSuchBucket")
        if listing:
            return Answer(200, self._page(request, self.buckets[name]).encode())
        return self._object(request, self.buckets[name], key) if key else Answer(200)

    def _page(self, request: Request, bucket: Bucket) -> str:
        fault = self.faults.get("LIST")
        if fault is None:
            return bucket.page(request.query)
        first = {key: value for key, value in request.query.items() if key != "continuation-token"}
        token = "" if fault == "broken off" else element("NextContinuationToken", "again")
        body = bucket.page(first) if fault != "empty" else bucket.page({"prefix": "no such"})
        body = re.sub(r"<IsTruncated>.*?</IsTruncated>", "", body)
        body = re.sub(r"<NextContinuationToken>.*?</NextContinuationToken>", "", body)
        more = element("IsTruncated", "true") + token
        return body.replace("</ListBucketResult>", more + "</ListBucketResult>")

    def fault(self, request: Request) -> str | None:
        """The fault set for a request's key, or for all."""
        if request.is_control:
            return None
        return self.faults.get(request.path[1:].partition("/")[2]) or self.faults.get("*")

    def _control(self, request: Request) -> Answer:
        order = json.loads(request.body or b"{}")
        if request.path == "/-/faults":
            self.faults = order
        elif request.path == "/-/load":
            bucket = self.buckets.setdefault(order["bucket"], Bucket())
            bucket.load(order["prefix"], Path(order["folder"]))
        return Answer(200, json.dumps(self.counts).encode())

    def _object(self, request: Request, bucket: Bucket, key: str) -> Answer:
        if request.method == "PUT":
            return Answer(200, headers={"ETag": bucket.put(key, request.body).etag})
        if request.method == "DELETE":
            bucket.delete(key)
            return Answer(204)
        if key not in bucket.objects:
            return refusal(404)
        answer = part(bucket.objects[key], request, self.fault(request) == "deaf")
        self.counts["BYTES"] += len(answer.body)
        return answer


def refusal(status: int, token: str = "", code: str = "") -> Answer:
    """An error as S3 words it."""
    code = code or CODES.get(status, "InternalError")
    return Answer(status, element("Error", Code=code, Message="as asked", Token=token).encode())


def part(stored: StoredObject, request: Request, deaf: bool = False) -> Answer:
    """The object, or the range of it that was asked for, or only its head."""
    size = stored.size_bytes
    headers = {"ETag": stored.etag, "Last-Modified": formatdate(stored.modified_s, usegmt=True)}
    if not deaf and request.headers.get("if-match", stored.etag) != stored.etag:
        return refusal(412)
    if request.method == "HEAD":
        return Answer(200, b"", headers, size)
    wanted = request.headers.get("range")
    if wanted is None:
        return Answer(200, stored.part(0, size), headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size:
        return refusal(416)
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Answer(206, stored.part(start, end), headers)


async def receive(reader: asyncio.StreamReader) -> Request:
    """The next request of a connection."""
    first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    method, target, _ = first.split(" ")
    parts = (line.partition(":") for line in rest)
    headers = {name.lower(): value.strip() for name, _, value in parts}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    url = urlsplit(target)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    return Request(method, unquote(url.path), query, headers, body)


async def converse(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answers a connection's requests, with the fault that is set."""
    try:
        while True:
            request = await receive(reader)
            answer, fault = server.answer(request), server.fault(request)
            if fault == "silent":
                await asyncio.sleep(FOREVER_S)
            if fault == "cut once":
                server.faults = {}
            broken = fault in ("stall", "cut", "cut once")
            writer.write(answer.head + answer.body[: len(answer.body) // (1 + broken)])
            await writer.drain()
            if fault == "stall":
                await asyncio.sleep(FOREVER_S)
            if broken:
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


async def serve() -> None:
    """Serves until standard input ends."""
    server = Server()
    listening = await asyncio.start_server(
        lambda reader, writer: converse(server, reader, writer), "127.0.0.1", 0, backlog=512
    )
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
