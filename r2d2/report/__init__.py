"""The result of a run as files."""
