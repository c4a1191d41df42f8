"""Real data sets, from raw file to published bundle."""
