"""Nodes of memory and their edges."""
