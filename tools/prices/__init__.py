"""Makes the price list that r2d2 ships from what packages say of prices."""
