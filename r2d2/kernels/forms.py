"""The one form of each number, and its key: what `number`, `decimals` and `bignumber` agree on."""

from r2d2.hashing.finaliser import ColumnKey

INTEGER = ""  # a signed 64-bit integer
UNSIGNED = "unsigned"  # an integer from 2⁶³ up to 2⁶⁴ - 1
DOUBLE = "double"  # the bits of a double, for what is neither


def over_ten_to(scale: int) -> str:
    """The form of an integer over ten to this power; only at power 0 may it end in zeros."""
    return f"over ten to {scale}"


def form_key(key: ColumnKey, form: str) -> ColumnKey:
    """The key of numbers of this form."""
    return key.child(form) if form else key
