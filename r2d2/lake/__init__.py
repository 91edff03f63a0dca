"""A lake's tables: files grouped, inventories, layouts, and the questions that stages ask."""
