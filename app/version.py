"""Which Paperwatch this is."""

from importlib.metadata import version

VERSION = version("paperwatch")
