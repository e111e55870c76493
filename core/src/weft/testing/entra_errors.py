"""What Entra's token endpoint refuses with."""

from __future__ import annotations


class EntraError(Exception):
    """``error`` is OAuth's word, ``code`` the AADSTS number, ``status`` the HTTP status."""

    def __init__(self, error: str, code: int, text: str, status: int) -> None:
        super().__init__(f"AADSTS{code}: {text}")
        self.error, self.code, self.text, self.status = error, code, text, status
