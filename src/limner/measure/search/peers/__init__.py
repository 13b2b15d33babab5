"""Other libraries behind the interface of a contender. None of them is needed; each is imported when it is measured."""
