"""Mail and feed rendering (pure), and the only SMTP."""
