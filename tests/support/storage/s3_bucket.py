"""A bucket of the small S3-compatible server: its objects, and a page of their list as XML."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import time
from urllib.parse import quote
from xml.sax.saxutils import escape

PAGE_KEYS = 1000
WHITE = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes, in memory or in a file, and what a list says of it."""

    content: bytes | Path
    size_bytes: int
    etag: str
    modified_s: float

    def part(self, start: int, end: int) -> bytes:
        """The bytes in [start, end)."""
        if isinstance(self.content, bytes):
            return self.content[start:end]
        with self.content.open("rb") as file:
            file.seek(start)
            return file.read(end - start)


@dataclass(slots=True)
class Bucket:
    """Objects by key; `_keys` is their order, None where it must be made anew."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    _keys: list[str] | None = None

    def put(self, key: str, content: bytes) -> StoredObject:
        """Stores an object in memory."""
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        self.objects[key] = StoredObject(content, len(content), etag, time())
        self._keys = None
        return self.objects[key]

    def delete(self, key: str) -> None:
        """Takes an object away, if it is there."""
        self.objects.pop(key, None)
        self._keys = None

    def load(self, prefix: str, folder: Path) -> None:
        """Offers a folder's files; their bytes stay on disk."""
        for path in filter(Path.is_file, folder.rglob("*")):
            status = path.stat()
            etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
            key = prefix + path.relative_to(folder).as_posix()
            self.objects[key] = StoredObject(path, status.st_size, etag, status.st_mtime)
        self._keys = None

    def page(self, query: Mapping[str, str]) -> str:
        """One page of ListObjectsV2."""
        if self._keys is None:
            self._keys = sorted(self.objects, key=str.encode)
        keys, prefix = self._keys, query.get("prefix", "")
        after = query.get("continuation-token") or query.get("start-after", "")
        say = quote if query.get("encoding-type") == "url" else escaped
        # Names of objects, and of folders where a delimiter is asked for: the value says which.
        found: dict[str, bool] = {}
        index = bisect_right(keys, after.encode(), key=str.encode)
        while index < len(keys) and len(found) < PAGE_KEYS:
            if keys[index].startswith(prefix):
                name = cut(keys[index], len(prefix), query.get("delimiter", ""))
                found[name] = name in self.objects
            index += 1
        entries = (
            self._object_xml(name, say(name))
            if whole
            else element("CommonPrefixes", Prefix=say(name))
            for name, whole in found.items()
        )
        more = index < len(keys)
        token = element("NextContinuationToken", say(keys[index - 1])) if more else ""
        body = element("IsTruncated", str(more).lower()) + token + "".join(entries)
        return '<?xml version="1.0" encoding="UTF-8"?>' + element("ListBucketResult", body)

    def _object_xml(self, key: str, said: str) -> str:
        stored = self.objects[key]
        modified = datetime.fromtimestamp(int(stored.modified_s), UTC)
        return element(
            "Contents",
            Key=said,
            LastModified=f"{modified:%Y-%m-%dT%H:%M:%S}.000Z",
            ETag=escape(stored.etag),
            Size=str(stored.size_bytes),
        )


def cut(key: str, start: int, delimiter: str) -> str:
    """The key up to the first delimiter after `start`; all of it where there is none."""
    end = key.find(delimiter, start) if delimiter else -1
    return key if end < 0 else key[: end + len(delimiter)]


def element(name: str, text: str = "", **children: str) -> str:
    """An XML element of text and simple children."""
    inner = text + "".join(element(child, value) for child, value in children.items())
    return f"<{name}>{inner}</{name}>"


def escaped(text: str) -> str:
    """Text as S3 writes it into XML."""
    return escape(text, WHITE)
