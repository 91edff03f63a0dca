"""Programs for the developers of r2d2; not in the wheel."""
