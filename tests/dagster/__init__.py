"""Floors 2 to 5: resources, assets, sensors and the code location."""
