"""Lines of JSON with bytes or escapes that are no text."""

import json

MOST_REPAIRED_BYTES = 2**20


def repaired(line: bytes) -> bytes | None:
    """The line with U+FFFD for what is no UTF-8 and for halves of surrogate pairs.

    None where that is not what is wrong with it, or it is too long to be worth it.
    """
    if len(line) > MOST_REPAIRED_BYTES:
        return None
    text = line.decode("utf-8", "replace")
    try:
        whole = json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    mended = whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return None if mended == line else mended
