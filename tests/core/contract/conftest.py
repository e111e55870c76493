"""The reference connector is imported by name, as a third party's own package would be."""

from __future__ import annotations

import sys
from pathlib import Path

REFERENCE = str(Path(__file__).with_name("reference"))
if REFERENCE not in sys.path:
    sys.path.insert(0, REFERENCE)
