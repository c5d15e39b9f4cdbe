"""Reads whatever stands on topics, as an auditor would: in no group, moving nobody's offsets; and empties topics."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from libs.contracts.topics import Topic

Ends = Mapping[TopicPartition, int]
"""For each partition the offset of the record that comes next."""


@asynccontextmanager
async def _reader(bootstrap: str, topics: Collection[Topic]) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(
        *(topic.name for topic in topics),
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def ends_of(bootstrap: str, topics: Collection[Topic]) -> Ends:
    """Return where these topics end now."""
    async with _reader(bootstrap, topics) as reader:
        ends: Ends = await reader.end_offsets(reader.assignment())
        return ends


async def everything_on(bootstrap: str, topic: Topic, since: Ends | None = None) -> list[ConsumerRecord]:
    """Return every record that stands on the topic now, partition by partition; only those behind `since`."""
    async with _reader(bootstrap, [topic]) as reader:
        records: list[ConsumerRecord] = []
        for tp, end in (await reader.end_offsets(reader.assignment())).items():
            if since is not None:
                reader.seek(tp, since[tp])
            while await reader.position(tp) < end:
                for batch in (await reader.getmany(tp, timeout_ms=1000)).values():
                    records += batch
        return records


async def empty(bootstrap: str, *topics: Topic) -> None:
    """Let everything on these topics expire now.

    Tests of other services leave tens of thousands of records that nobody read. A new reader begins with them, and
    needs minutes for them on a loaded machine.
    """
    async with _reader(bootstrap, topics) as reader:
        ends = await reader.end_offsets(reader.assignment())
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        await admin.delete_records({partition: RecordsToDelete(end) for partition, end in ends.items()})
        await admin.close()
        assert await reader.beginning_offsets(list(ends)) == ends
