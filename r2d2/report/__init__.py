"""A run's result as files and as text."""
