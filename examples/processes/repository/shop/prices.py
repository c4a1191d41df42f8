"""What is taken off an order."""

VOLUME = ((50_000, 10), (20_000, 5))
"""Totals from which on so many percent are taken off, the highest first."""


def discount(total: int) -> int:
    """Cents that are taken off an order: 5 % from 200.00 on, 10 % from 500.00 on."""
    for least, percent in VOLUME:
        if total > least:
            return total * percent // 100
    return 0
