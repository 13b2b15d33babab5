"""Data sets as experiments read them: each a dataclass of settings whose `load` gives train, validation and test."""
