"""The store: bytes under keys, on a local disk or an object store. Fault injection lives here too.

Here belongs everything that knows how bytes are kept; nothing here knows what they mean.
"""
