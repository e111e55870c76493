"""pytest plugin of weft: nothing is imported until a test asks for it."""
