"""From a proved edge to a table that comes back: recipes proposed, executed, compared, written."""
