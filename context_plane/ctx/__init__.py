"""The CTX format: counting tokens, and later encoding, decoding and verifying."""
