"""From a proved graph to the tables to delete: options, their cost, the choice, its evidence."""
