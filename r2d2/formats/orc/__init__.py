"""ORC tables."""
