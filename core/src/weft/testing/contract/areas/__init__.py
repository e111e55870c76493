"""The checks, one module for each area."""
