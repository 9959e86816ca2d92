"""What happens on the clock: ingest, match, deliver."""
