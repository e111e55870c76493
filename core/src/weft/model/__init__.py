"""The canonical model: what entities look like between two systems."""
