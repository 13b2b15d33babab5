"""Measure retrieval honestly: metrics, the caption retrieval protocol, intervals, significance, TREC files.

numpy only; knows nothing of models, pictures or collections (`limner.measure` joins them).
"""
