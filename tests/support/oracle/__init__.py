"""The independent judge: random small lakes and a brute force that says what is true of them.

Nothing here but `asking` imports r2d2. `brute_force` reads, `random_lakes` writes.
"""
