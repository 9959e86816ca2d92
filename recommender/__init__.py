"""Which papers a reader would want (pure)."""
