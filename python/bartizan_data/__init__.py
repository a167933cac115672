"""Training data examined by bartizan, batch by batch."""

from ._examine import BartizanError, Examine

__all__ = ["BartizanError", "Examine"]
