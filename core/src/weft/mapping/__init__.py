"""Mapping documents: how an object of a system and a canonical entity correspond."""
