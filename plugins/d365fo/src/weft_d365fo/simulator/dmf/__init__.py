"""Data management: packages that are uploaded, imported and exported in the background."""
