"""Measurements. Nothing here is imported by the product or its tests."""
