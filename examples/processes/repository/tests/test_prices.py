"""Discounts."""

# ruff: noqa: PT009 - these say what was found and what was expected

import unittest

from shop.prices import discount


class DiscountTest(unittest.TestCase):
    """What is taken off an order."""

    def test_small_orders_get_nothing_off(self) -> None:
        """Below the first limit the price stays."""
        self.assertEqual(discount(0), 0)
        self.assertEqual(discount(19_999), 0)

    def test_large_orders_get_a_part_off(self) -> None:
        """Whole cents, rounded down."""
        self.assertEqual(discount(20_010), 1_000)
        self.assertEqual(discount(60_000), 6_000)

    def test_the_limit_itself_counts(self) -> None:
        """From 200.00 on means: 200.00 too."""
        self.assertEqual(discount(20_000), 1_000)
        self.assertEqual(discount(50_000), 5_000)


if __name__ == "__main__":
    unittest.main()
