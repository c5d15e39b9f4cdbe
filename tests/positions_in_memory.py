"""Positions of consumer groups in memory, for tests of consumers that have no database."""

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
