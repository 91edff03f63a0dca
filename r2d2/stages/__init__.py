"""The stages that prove or refute pairs of tables: schema, metadata, sample, sketch, exact."""
