"""Prices, carts and refunds. All amounts are whole cents."""
