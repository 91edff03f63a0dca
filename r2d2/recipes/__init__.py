"""Recipes: how a deleted table comes back from others. Pure: no files, no engines.

`grammar` says what a recipe is, `grammar_json` reads and writes it, `survival` tells which changes
of its parents it survives, `sql` shows it as a view, `predicates` finds a `select` from the data.
"""
