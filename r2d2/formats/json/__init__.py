"""JSON tables: one object a line."""
