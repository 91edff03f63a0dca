"""One idea a module, cheapest first."""
