"""The report of `r2d2 vmcost` as HTML, text, CSV and differences, apart from each other.

Every rendering is a pure function of the report's plain data. Each figure says whether it was
measured, priced (and as of when) or modelled.
"""
