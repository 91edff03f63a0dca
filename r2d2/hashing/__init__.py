"""Arrow and NumPy only: row hashes, runs, sketches."""
