"""Tests of the viewport."""
