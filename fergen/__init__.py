"""fergen: recognise facial expressions, generate faces with a chosen one, and let each measure the other."""

__version__ = "0.1.0"
