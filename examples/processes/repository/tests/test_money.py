"""Amounts."""

# ruff: noqa: PT009 - these say what was found and what was expected

import unittest

from shop.money import shown


class ShownTest(unittest.TestCase):
    """How amounts are written."""

    def test_cents_have_two_digits(self) -> None:
        """Also below ten, and below zero."""
        self.assertEqual(shown(1_205), "12.05 EUR")
        self.assertEqual(shown(-5), "-0.05 EUR")


if __name__ == "__main__":
    unittest.main()
