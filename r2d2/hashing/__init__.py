"""Row hashes, runs, sketches and multisets of rows, on Arrow and NumPy only."""
