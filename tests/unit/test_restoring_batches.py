"""What a restore holds at once is limited in bytes too: blocks of rows are a thousand times as large as decisions."""

from collections.abc import Sequence

from bowerbird.backups.restore import AT_ONCE, AT_ONCE_BYTES, batches

LARGE = AT_ONCE_BYTES // 4


def taken(documents: Sequence[bytes]) -> list[list[bytes]]:
    found = list(batches(iter(documents)))
    assert [each for batch in found for each in batch] == documents
    return found


def test_small_documents_go_as_many_at_once_as_may_go() -> None:
    assert [len(batch) for batch in taken([b"small"] * (2 * AT_ONCE + 1))] == [AT_ONCE, AT_ONCE, 1]


def test_of_large_documents_there_are_never_more_bytes_than_may_be_held() -> None:
    found = taken([bytes(LARGE), *[bytes(LARGE + 1)] * 40])
    assert len(found) > 10
    assert max(sum(map(len, batch)) for batch in found) <= AT_ONCE_BYTES


def test_one_that_is_larger_than_that_goes_alone() -> None:
    assert [len(batch) for batch in taken([b"small", bytes(2 * AT_ONCE_BYTES), b"small"])] == [1, 1, 1]


def test_of_nothing_there_is_no_batch() -> None:
    assert taken([]) == []
