"""Mock documents: Provenir XML of real shape and size with invented content, the same for the same seed."""

from provenir_lab.mock.documents import PROFILES, MockDocument, generate, spoil
from provenir_lab.mock.faults import FAULTS

__all__ = ["FAULTS", "PROFILES", "MockDocument", "generate", "spoil"]
