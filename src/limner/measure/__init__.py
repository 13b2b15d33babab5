"""Measurements: a model on a data set (`model`), the indexes on collections made for it (`search`)."""
