"""What a body's pieces may cost is bounded, however small they are; each read hands on one."""

from libs.common.body_pieces import Pieces


def taken(*sizes: int) -> int:
    """How many pieces of these sizes are taken before it is enough."""
    pieces = Pieces()
    pieces.begin()
    return next((number for number, size in enumerate(sizes) if not pieces.add(bytes(size))), len(sizes))


def test_a_thousand_pieces_may_be_of_any_size_and_more_are_32_bytes_on_average() -> None:
    assert taken(*[1] * 1_000) == 1_000
    assert taken(*[1] * 100_000) == 1_000
    assert taken(*[32] * 100_000) == 100_000
    assert taken(65_536, *[1] * 100_000) < 3_000


def test_what_one_read_brings_is_handed_on_together_and_the_next_body_is_counted_anew() -> None:
    pieces = Pieces()
    for _ in range(2):
        pieces.begin()
        assert all(pieces.add(b"a") for _ in range(1_000))
        assert (pieces.take(), pieces.take()) == (b"a" * 1_000, b"")
