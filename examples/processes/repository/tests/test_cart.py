"""Carts."""

# ruff: noqa: PT009 - these say what was found and what was expected

import unittest

from shop.cart import Cart


class CartTest(unittest.TestCase):
    """What a cart comes to."""

    def test_lines_are_added_up(self) -> None:
        """Price times count, over all lines."""
        cart = Cart()
        cart.add("lamp", 4_900, 2)
        cart.add("bulb", 350, 6)
        self.assertEqual(cart.total, 11_900)
        self.assertEqual(cart.due, 11_900)

    def test_a_discount_is_taken_off(self) -> None:
        """What is due is less than the total."""
        cart = Cart()
        cart.add("table", 30_000)
        self.assertEqual(cart.due, 28_500)


if __name__ == "__main__":
    unittest.main()
