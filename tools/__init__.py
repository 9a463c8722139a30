"""Tools of those who work on Ridgeline."""
