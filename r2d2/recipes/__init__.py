"""Recipes: how a deleted table is made again from other tables.

`grammar` defines recipes, `json` reads and writes them, `survival` says which changes of its
parents a recipe survives, and `sql` shows it as a view. `find` searches recipes in the data of a
lake, with the predicates of `predicate`; `run` makes a table by its recipe and tries it out.
"""
