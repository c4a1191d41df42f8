"""Memory: what the log says about what came of what, told as typed links between entities and events.

Here belong links and whatever is built of them. Finding events by words or meaning belongs in `retrieval`, spending a
token budget on them in `bundles`.
"""
