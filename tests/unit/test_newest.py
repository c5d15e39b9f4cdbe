"""Which document of a batch is the newest: a pure function of the documents, whatever their order."""

from hypothesis import given
from hypothesis import strategies as st

from libs.common.mongo import newest

DOCUMENTS = st.lists(
    st.builds(
        lambda key, order: {"_id": key, "order": order, "text": f"{key} {order}"}, st.integers(0, 4), st.integers()
    )
)


@given(documents=DOCUMENTS, chance=st.randoms())
def test_any_order_and_any_repetition_give_the_same_newest_documents(
    documents: list[dict[str, object]], chance: object
) -> None:
    again = documents * 2
    chance.shuffle(again)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert newest(again, order="order") == newest(documents, order="order")


@given(documents=DOCUMENTS)
def test_the_newest_document_of_an_id_has_the_highest_order(documents: list[dict[str, int]]) -> None:
    for key, latest in newest(documents, order="order").items():
        assert latest["order"] == max(each["order"] for each in documents if each["_id"] == key)
