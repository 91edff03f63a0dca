"""The engine of one machine: threads for reading, processes for recipes."""
