"""Documents for tests: generated ones that look like Markdown, text, RFCs, CTX itself, or nothing at all."""

from __future__ import annotations

from hypothesis import strategies as st

from bench.ctx_documents import PIECES

markup = st.builds(
    lambda pieces, times: "".join(pieces) * times,
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=40),
    st.sampled_from((1, 1, 1, 2, 3)),
)
"""Texts that look like documents, and often like broken ones."""

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
"""Any characters but lone surrogates."""

documents = st.one_of(markup, anything)
