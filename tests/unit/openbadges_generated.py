"""Generated credentials in many structures, and changes to any document: what properties of the engine run over."""

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from libs.openbadges.model.context_urls import CREDENTIALS_V2, OPEN_BADGES_V3

# fmt: off
TEXTS = [
    "a", "Relational", "%b", "%", "%%s", '"', "\\", '\\"', "\\\\", "\\n", "\n", "\r\n\t", "é", "回復", "🙂",
    "\u2028", "\u00a0",
    "_:b0", "_:c14n0", "@id", "@type", "@none", "id", "type", "Achievement", "https://a.example/1", "urn:x:1",
    "a:b", "//x", "#f",
    "", " ", "\x00", "\x08", "\x0b", "\x0c", "\x1f", "\x7f", "\x80", "\ufeff", "\ud7ff", "1", "1.50", "true",
    "null", " .\n<a> <b> <c> .",
    "2026-03-06T09:30:00Z", "x" * 300, "\\u0041", '" .', "\x01\x02", "assertionMethod",
]
IRIS = [
    "https://a.example/1", "https://a.example/2", "https://a.example/%20?q=1#f",
    "urn:uuid:0f4ac6a1-59e9-4a3c-95ad-14b1ee3a6a3c",
    "did:web:a.example%3A80:b", "did:key:z6Mk", "http://a", "URN:x:y", "urn:x", "mailto:a@b.example",
    "data:image/png;base64,AA==",
    "https://é.example/", "urn:a b", "urn:a\nb", "urn:a>b", "urn:a\u00a0b", "urn:a\\b", "urn:", ":", "relative",
    "/path", "//host/x",
    "#f", "?q", "", "_:b0", "_:c14n0", "_:", "@id", "@foo", "id:x", "type:x", "name:x", "urn://x", "https:/x",
    "https:", "https://", "id", "Profile",
]
# fmt: on
GOOD_IRIS = IRIS[:11]

texts = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(codec="utf-8"), max_size=12))
plain = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)
iris = st.one_of(st.sampled_from(IRIS), st.uuids().map(lambda one: f"urn:uuid:{one}"))
good_iris = st.one_of(st.sampled_from(GOOD_IRIS), st.uuids().map(lambda one: f"urn:uuid:{one}"))


def optional(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


def thing(kind: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return optional(id=good_iris, **parts).map(lambda made: {"type": [kind], **made})


def few(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, max_size=3)


alignments = thing("Alignment", targetName=plain, targetUrl=good_iris, targetCode=plain)
profiles = thing("Profile", name=plain, url=good_iris, official=plain)
levels = thing("RubricCriterionLevel", name=plain, level=plain, alignment=few(alignments))
results = thing("Result", achievedLevel=good_iris, value=plain, status=plain)
tagged = st.fixed_dictionaries(
    {"@value": plain, "@language": st.sampled_from(["en", "de-AT"])}, optional={"@direction": st.just("rtl")}
)
descriptions = thing("ResultDescription", name=plain, allowedValue=few(plain), rubricCriterionLevel=few(levels))
achievements = thing(
    "Achievement",
    name=st.one_of(plain, tagged, few(plain)),
    criteria=optional(id=good_iris, narrative=plain),
    creator=profiles,
    creditsAvailable=st.one_of(st.integers(-5, 5), st.floats(-9, 9), plain),
    tag=few(plain),
    alignment=few(alignments),
    resultDescription=few(descriptions),
)
evidence = thing("Evidence", name=plain, narrative=plain, genre=plain, description=st.one_of(plain, st.booleans()))
status = thing("BitstringStatusListEntry", statusPurpose=plain, statusListIndex=plain, statusListCredential=good_iris)
endorsements = thing("EndorsementCredential", name=plain, issuer=good_iris)
subjects = thing("AchievementSubject", achievement=achievements, result=few(results), creditsEarned=st.integers(0, 3))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Credentials in many structures; some say the same thing twice, some have parts that look alike."""
    made = draw(
        optional(
            name=plain, issuer=st.one_of(good_iris, profiles), validFrom=plain, credentialSubject=subjects,
            evidence=few(evidence), credentialStatus=st.one_of(status, few(status)), endorsement=few(endorsements),
        )
    )  # fmt: skip
    head = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": draw(good_iris),
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
    }
    return {**head, **made}


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container of the document with each of its keys or indexes."""
    found: list[tuple[Any, Any]] = []
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        found.append((node, key))
        found += places(value)
    return found


def mutate(draw: Callable[[st.SearchStrategy[Any]], Any], document: dict[str, Any]) -> dict[str, Any]:
    """Change one to three things: mostly a text or identifier, sometimes a key, a kind of value or an order."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(changed)))
        old = container[key]
        how = draw(st.sampled_from(["text", "iri", "text", "iri", "copy", "kind", "key", "drop", "twice"]))
        if how in {"text", "iri"} and isinstance(old, str):
            container[key] = draw(texts if how == "text" else iris)
        elif how == "copy" and isinstance(old, str):
            # The same text or identifier in two places is where statements and blank nodes fall together.
            others = [box[name] for box, name in places(changed) if isinstance(box[name], str)]
            container[key] = draw(st.sampled_from(others))
        elif how == "kind":
            container[key] = draw(
                st.sampled_from(
                    [None, True, False, 0, 1, 1.0, 1.5, 2**53, [], {}, [old], {"id": old}, {"@value": old}, str(old)]
                )
            )
        elif how == "key" and isinstance(container, dict):
            container[
                draw(
                    st.sampled_from(
                        [
                            "name",
                            "Name",
                            "id",
                            "@id",
                            "type",
                            "description",
                            "nonsense",
                            "ex:term",
                            "@value",
                            "narrative",
                        ]
                    )
                )
            ] = container.pop(key)
        elif how == "drop":
            del container[key]
        elif how == "twice" and isinstance(container, list):
            container.append(copy.deepcopy(old))
    return changed


def each_once(quads: str) -> str:
    """Return the sorted quads without repetition: a dataset is a set, and PyLD writes one said twice twice."""
    return "".join(sorted(set(quads.splitlines(keepends=True))))
