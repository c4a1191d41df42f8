"""What the steps of a search cost, as measured by `bench search`: by these the loops choose their way."""

from __future__ import annotations

from typing import Final

POSTING: Final = 3.0
LOOKUP: Final = 9.0
"""Nanoseconds for a posting, and for a look-up of one term in one document."""
COMPARED: Final = 0.2
"""For one number of a vector."""
VISITED: Final = 500.0
NEIGHBOURS: Final = 25
"""For each event that a search of the graph is asked for: nanoseconds, and others that it compares."""
HOPEFUL: Final = 2_000
"""Events that are compared because their words could make up for a vector that is not among the nearest."""
RUN: Final = 40.0
"""For finding a term's postings of one run of rows."""
FIRST: Final = 4
"""How many times k of the best by BM25 are compared first, to know what it takes to be among the k best."""
ESTIMATED: Final = 4_096
"""Postings of a term before which it is worth knowing whether they have to be gone through."""
