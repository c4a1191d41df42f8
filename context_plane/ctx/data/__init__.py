"""CTX for data: JSON values as text that a model reads and that decodes to an equal value.

Every JSON document is one of CTX too; what CTX adds are tables with the names of their columns said once, words without
quotes, and, where the mode allows it, columns of which cells leave out what they share. `encoding` writes, `decoding`
reads, `equality` compares. The grammar is docs/spec/ctx.md.
"""
