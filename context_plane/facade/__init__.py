"""The façade in rooms: what `ContextPlane` (`context_plane.plane`) is put together from, one concept a file.

Here belong argument checking and the choice of tenant, view and spec; nothing here computes. `opened` holds what all
rooms share, every other file adds the methods of one concept.
"""
