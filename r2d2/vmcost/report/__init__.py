"""What the companion job found, rendered to HTML, text, CSV and differences apart from each other.

Every rendering is a pure function of the report's plain data. Each figure says whether it was
measured, priced (and as of when) or modelled.
"""
