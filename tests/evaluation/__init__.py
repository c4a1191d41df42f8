"""Evaluation: measures by hand, data sets with every mistake, and search measured through the façade."""
