"""Tests of CTX for data."""
