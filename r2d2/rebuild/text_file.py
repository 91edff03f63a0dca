"""A text file in an encoding, compressed where its name says so."""

import codecs
from pathlib import Path

import pyarrow as pa

from r2d2.formats.layout import NotWritableError
from r2d2.formats.sink import refused


class TextFile:
    """Text in, encoded and compressed bytes out; `mark`: UTF-8 begins with its byte-order mark."""

    def __init__(self, path: Path, encoding: str, compression: str, mark: bool) -> None:
        self._encoding = encoding
        self._encoder = codecs.getincrementalencoder(encoding)("strict")
        with refused(path):
            file = pa.OSFile(str(path), "wb")
            plain = compression == "none"
            self._stream = file if plain else pa.CompressedOutputStream(file, compression)
            self._file = file
            if mark:
                self._stream.write(codecs.BOM_UTF8)

    def write(self, text: str) -> None:
        """Adds the text.

        Raises:
            NotWritableError: a character that the encoding does not have; a full disk.
        """
        try:
            content = self._encoder.encode(text)
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            raise NotWritableError(f"{character!r} is not {self._encoding}") from error
        with refused():
            self._stream.write(content)

    def close(self) -> None:
        """Completes the file."""
        with refused():
            self._stream.close()
            self._file.close()
