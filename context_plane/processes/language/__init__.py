"""The language of process files: reading YAML with the place of every value, and what its documents say."""
