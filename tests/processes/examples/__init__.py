"""The home under examples/processes: it compiles, it runs, and its README is true."""
