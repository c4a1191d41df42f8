"""Tests of the shop: python -m unittest discover -s tests -t ."""
