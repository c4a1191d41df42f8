"""The engine: runs linked processes step by step, records every step durably, and goes on after any crash."""
