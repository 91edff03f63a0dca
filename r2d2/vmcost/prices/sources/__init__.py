"""What the packages say of prices, and which of it is carried; `prices.build` puts it together."""
