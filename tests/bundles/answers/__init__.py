"""Tests of answers and receipts."""
