"""Scoring: a question, the statistics it is asked with, and the best documents of an index."""
