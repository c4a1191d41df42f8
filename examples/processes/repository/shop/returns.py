"""What a customer gets back."""


def refund(paid: int, fee: int) -> int:
    """Cents that go back for an order: what was paid without the fee for handling, and never less than nothing."""
    return max(0, paid + fee)


def in_time(days: int, allowed: int = 30) -> bool:
    """Whether an order may still be sent back, so many days after it came."""
    return days <= allowed
