"""Avro tables."""
