"""Carts: lines of an order and what they come to."""

from dataclasses import dataclass, field

from shop.prices import discount


@dataclass(frozen=True)
class Line:
    """One article, so many times."""

    article: str
    price: int
    count: int = 1


@dataclass
class Cart:
    """What a customer has chosen."""

    lines: list[Line] = field(default_factory=list)

    def add(self, article: str, price: int, count: int = 1) -> None:
        """Puts an article in."""
        self.lines.append(Line(article, price, count))

    @property
    def total(self) -> int:
        """What it comes to before discounts."""
        return sum(line.price * line.count for line in self.lines)

    @property
    def due(self) -> int:
        """What is to be paid."""
        return self.total - discount(self.total)
