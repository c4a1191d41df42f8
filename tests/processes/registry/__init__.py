"""Tests of the registry: actions and gates."""
