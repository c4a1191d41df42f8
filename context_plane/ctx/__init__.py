"""The CTX format: counting tokens, encoding, decoding and verifying (docs/spec/ctx.md).

`documents` is the way in: data (`data`) and text (`prose`) alike, with what was gained and how much of it is certain.
"""
