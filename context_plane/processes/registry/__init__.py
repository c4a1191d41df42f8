"""Actions and gates: what steps name and the engine calls. Built-in ones, those of plugins, those of the home's Python
files, and those that YAML declares.
"""
