"""Tests of the command line, of the demo, and of the commands in the documentation."""
