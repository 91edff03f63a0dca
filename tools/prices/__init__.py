"""Makes the price list that r2d2 ships from the price tables of three packages."""
