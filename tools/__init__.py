"""Programs for whoever works on r2d2; not in the wheel."""
