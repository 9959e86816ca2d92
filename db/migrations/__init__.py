"""The schema's history; its sum equals db/tables.py."""
