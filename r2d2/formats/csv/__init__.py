"""CSV tables: delimited text."""
