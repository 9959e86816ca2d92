"""The API under /api: version 1, its schema, and a page that describes it."""
