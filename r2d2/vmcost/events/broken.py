"""Compressed streams that stop short or are no longer what was written."""


class TruncatedError(Exception):
    """The stream stops before its end; all that came before was given."""


class DamagedError(Exception):
    """The stream cannot be read on; all that came before was given."""
