"""Data sets on disk: making them, and reading them. Free of torch."""
