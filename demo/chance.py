"""Choices that look like chance and are the same on every machine and every Python."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """A seeded source. It leans on `random.random()` alone, the one method whose sequence Python promises to keep."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311  # made-up data, not secrecy

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self._random.random() < probability

    def below(self, bound: int) -> int:
        """A whole number from 0 to `bound` - 1."""
        return int(self._random.random() * bound)

    def one_of(self, options: Sequence[T]) -> T:
        """One of them, each as likely as the others."""
        return options[self.below(len(options))]

    def weighted(self, options: Sequence[T], weights: Sequence[int]) -> T:
        """One of them, as likely as its weight says."""
        ticket = self.below(sum(weights))
        for option, weight in zip(options, weights, strict=True):
            ticket -= weight
            if ticket < 0:
                return option
        raise AssertionError("the weights sum to more than the ticket")

    def some_of(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different ones, in the order in which they stand."""
        left = list(range(len(options)))
        taken = sorted(left.pop(self.below(len(left))) for _ in range(count))
        return [options[index] for index in taken]
