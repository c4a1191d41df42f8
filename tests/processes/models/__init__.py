"""Tests of models: the catalog, the choice, the gateway."""
