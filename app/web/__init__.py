"""Pages, feeds and links in mail."""
