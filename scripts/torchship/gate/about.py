"""What is known of a case beside its numbers. Standard library only."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict


class About(TypedDict):
    """Where a case is from.

    Attributes:
        origin: what drew it.
        sizes: of the dynamic axes.
        number: its place among all cases.
        first: of cases from the test set their first event.
    """

    origin: str
    sizes: Mapping[str, int]
    number: NotRequired[int]
    first: NotRequired[int]
