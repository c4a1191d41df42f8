"""Refunds."""

# ruff: noqa: PT009 - these say what was found and what was expected

import unittest

from shop.returns import in_time, refund


class ReturnsTest(unittest.TestCase):
    """What a customer gets back, and until when."""

    def test_without_a_fee_everything_is_paid_back(self) -> None:
        """The whole amount."""
        self.assertEqual(refund(5_000, 0), 5_000)

    def test_orders_can_be_sent_back_for_thirty_days(self) -> None:
        """The last day counts."""
        self.assertTrue(in_time(30))
        self.assertFalse(in_time(31))


if __name__ == "__main__":
    unittest.main()
