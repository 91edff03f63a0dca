"""Who answers a lake's questions: this process, or Spark."""
