"""Evaluation: how well search finds what people judged to be right, on data sets in BEIR's form."""
