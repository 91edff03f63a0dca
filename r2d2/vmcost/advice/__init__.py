"""What would be cheaper: other sizes, other machines, other ways to pay; each figure modelled."""
