"""Positions of consumer groups, and ids of topics, in memory: for tests of consumers that have no database."""

from collections.abc import Collection, Mapping

from aiokafka import TopicPartition

from libs.common.positions import Position


class MemoryPositions:
    """Positions as the real store keeps them."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, TopicPartition], Position] = {}

    async def read(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Position]:
        return {tp: self.kept[group, tp] for tp in partitions if (group, tp) in self.kept}

    async def keep(self, group: str, positions: Mapping[TopicPartition, Position]) -> None:
        self.kept |= {(group, tp): each for tp, each in positions.items()}


class MemoryTopics:
    """Topics of brokers that give no ids, unless a test says which."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    async def ids(self, names: Collection[str]) -> dict[str, str]:
        return {name: self.known[name] for name in names if name in self.known}
