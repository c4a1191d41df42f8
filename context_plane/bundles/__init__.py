"""Bundles: context specs compiled and evaluated over timelines, packed, and served."""
