"""Curation: which pairs are worth training on."""
