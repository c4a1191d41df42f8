"""Answers: context under a budget, with a receipt from which its bytes are rebuilt."""

from __future__ import annotations

from context_plane.facade.packing import Packing


class Answering(Packing):
    """Contexts and receipts."""
