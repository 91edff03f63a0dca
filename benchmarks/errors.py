"""What keeps a benchmark from running."""


class BenchmarkError(Exception):
    """A program, a lake or a peer is missing, or ended badly; the message says which."""
