"""Recipes: how a deleted table is made again from other tables.

`grammar` defines recipes and the changes of their parents that they survive, `json` reads and
writes them, `sql` shows one as a view, under the names of `sql_names`. `find` searches recipes in
the data of a lake, with the predicates of `predicate`; `run` makes a table by its recipe and tries
it out.
"""
