"""Storage of a lake's bytes: a folder here, or an object store."""
