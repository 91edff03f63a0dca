"""Engines, which answer the stages' questions about a lake: this process, or Spark."""
