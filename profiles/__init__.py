"""Who the readers are and what they told us (pure)."""
