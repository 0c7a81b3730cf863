"""Errors that a person who runs the demo or the tests can act upon."""


class DemoError(Exception):
    """Something that ends the demo; its text is one sentence that says what to do or look at."""


class Unmet(DemoError):
    """An expectation did not come true; says what was expected and what was seen."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}, saw {seen}")
