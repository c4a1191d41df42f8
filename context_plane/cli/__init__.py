"""The `cortex` command: translates arguments to calls on `ContextPlane`, and results to text or JSON. Nothing else."""
