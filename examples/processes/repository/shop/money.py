"""Amounts as people read them."""


def shown(cents: int, currency: str = "EUR") -> str:
    """``12.50 EUR``"""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d} {currency}"
