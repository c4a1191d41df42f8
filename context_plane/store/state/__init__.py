"""Operational SQL: what coordinates and is not history (architecture, "What is stored where").

Here belong the database, its tables and leases: the unsealed head of executions, and who works on which of them. Losing
it loses at most what was not sealed into the log yet.
"""
