"""What is there: listing, formats, the questions stages ask."""
