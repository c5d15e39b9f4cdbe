"""Reads whatever stands on a topic, as an auditor would: in no group, moving nobody's offsets."""

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from libs.contracts.topics import Topic


async def everything_on(bootstrap: str, topic: Topic) -> list[ConsumerRecord]:
    """Every record that stands on the topic now, partition by partition."""
    reader = AIOKafkaConsumer(
        topic.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await reader.start()
    try:
        records: list[ConsumerRecord] = []
        for tp, end in (await reader.end_offsets(reader.assignment())).items():
            while await reader.position(tp) < end:
                for batch in (await reader.getmany(tp, timeout_ms=1000)).values():
                    records += batch
        return records
    finally:
        await reader.stop()
