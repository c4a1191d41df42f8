"""Links: typed edges that events state, found by rules and without a model (docs/links.md).

`fold` turns timeline rows into links; `rules` is the extractor that it uses by default, `extractor` finds others by
entry point. What a source declares about its links is `declared`, how a reference is written and what it stands for
`references`, what a sentence says about it `statements`.
"""
