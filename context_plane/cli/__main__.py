"""`python -m context_plane.cli`: the `cortex` command of this very interpreter, whatever is on the PATH."""

from context_plane.cli.main import main

main()
