"""The verbs of deletion, a module each; `fsck` begins each that writes."""
