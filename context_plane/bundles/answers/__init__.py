"""Answers: context for an entity under a budget, and the receipts from which their bytes are rebuilt.

`request` is what is asked, `gathering` finds candidates, `lines` turns what an item refers to into its text. `answer`
is what a caller holds, `receipt` its manifest as an event; `replay` renders a receipt again and never searches.
"""
