"""Knowledge: files that say how things are done, kept as events of their topics (seed 001, 3.3 and 7).

Here belongs how a file becomes versions and chunks, and what a topic is at a view. Finding chunks is `retrieval`'s
business, spending a budget on them that of `bundles`.
"""
