"""Where papers come from: one module a format, bytes -> papers, pure; fetch.py is the only outgoing HTTP."""
