"""The canonical use case: a product growth agent that looks for customers to offer an upgrade.

Generated customers, the agent that ranks them by their bundles, and the story that `cortex demo` tells: events in,
context out, what it costs, and the proof that everything but the log can be thrown away. Uses the plane as any user
would, through `ContextPlane`; nothing of the plane imports it.
"""
