"""The checks, one module an area."""
