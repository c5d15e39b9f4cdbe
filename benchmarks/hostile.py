"""Documents made to cost whoever verifies them as much as can be, in as few bytes as can be."""

import base64
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from libs.openbadges.crypto.keys import Ed25519Key

KEY: Final = Ed25519Key.from_seed(bytes(32))
DID: Final = f"did:key:{KEY.public_multibase}"
METHOD: Final = f"{DID}#{KEY.public_multibase}"
CONTEXTS: Final = (
    "https://www.w3.org/ns/credentials/v2",
    "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
)


def proof(name: str = "0", purpose: str = "assertionMethod", **changes: Any) -> dict[str, Any]:
    """Return a proof of good form by a key that can be found, whose value is that of no text."""
    return {
        "id": f"urn:proof:{name}",
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-rdfc-2022",
        "created": "2026-03-06T09:30:00Z",
        "verificationMethod": METHOD,
        "proofPurpose": purpose,
        "proofValue": "z" + "1" * 64,
        **changes,
    }


def alike(count: int) -> list[dict[str, Any]]:
    """Return things without a name that all know one another: only trying out orders tells them apart."""
    names = [f"_:n{number}" for number in range(count)]
    return [
        {"id": one, "type": ["Profile"], "https://x.example/p": [{"id": other} for other in names if other != one]}
        for one in names
    ]


def credential(nodes: int = 6, proofs: int = 8, number: str = "0", **changes: Any) -> dict[str, Any]:
    """Return a credential with things that are alike, and so many proofs."""
    subject = {
        "id": f"urn:subject:{number}",
        "type": ["AchievementSubject"],
        "achievement": {
            "id": f"urn:achievement:{number}",
            "type": ["Achievement"],
            "name": "Resilience",
            "description": "Goes on when it is hard.",
            "criteria": {"narrative": "Shows it."},
        },
        **({"https://x.example/l": alike(nodes)} if nodes else {}),
    }
    return {
        "@context": list(CONTEXTS),
        "id": f"urn:credential:{number}",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": {"id": DID, "type": ["Profile"]},
        "validFrom": "2026-03-06T09:30:00Z",
        "credentialSubject": subject,
        **changes,
        "proof": [proof(f"{number}-{one}") for one in range(proofs)],
    }


def endorsement(name: str) -> dict[str, Any]:
    """Return an endorsement with things that are alike, and eight proofs."""
    subject = {"id": DID, "type": ["EndorsementSubject"], "https://x.example/l": alike(6)}
    kind = ["VerifiableCredential", "EndorsementCredential"]
    return credential(number=name, type=kind, credentialSubject=subject, name="Endorsed")


def endorsed(count: int = 32) -> dict[str, Any]:
    """Return a credential with so many endorsements, each of them costly."""
    return credential(endorsement=[endorsement(f"e{number}") for number in range(count)])


def chained(count: int = 8) -> dict[str, Any]:
    """Return a credential whose proofs rest on one another, so that each is over another text."""
    proofs = [
        proof(str(number), **({"previousProof": f"urn:proof:{number - 1}"} if number else {}))
        for number in range(count)
    ]
    return {**credential(6, 0), "proof": proofs}


def presentation(credentials: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a presentation of credentials."""
    return {
        "@context": list(CONTEXTS),
        "type": ["VerifiablePresentation"],
        "holder": DID,
        "verifiableCredential": list(credentials),
        "proof": proof("holder", "authentication"),
    }


def full_presentation() -> dict[str, Any]:
    """Return a presentation as large as is read, full of what costs most."""
    held = [{**endorsed(5), "id": f"urn:held:{number}"} for number in range(8)]
    return presentation(held)


def nested(depth: int) -> dict[str, Any]:
    """Return a credential nested so deep."""
    inner: Any = {"id": "urn:x:y"}
    for _ in range(depth):
        inner = {"https://x.example/p": inner}
    return credential(0, 1, credentialSubject=inner)


def wide(values: int) -> dict[str, Any]:
    """Return a credential that says so many things, each of which the schema refuses."""
    return credential(0, 8, evidence=[{"id": f"urn:e:{number}", "type": number} for number in range(values)])


def refused_endorsements(depth: int, text: int) -> dict[str, Any]:
    """Return a credential with endorsements of endorsements, and a long text in the innermost, which is refused."""
    issuer: dict[str, Any] = {"id": 1, "name": "x" * text}
    made: dict[str, Any] = {}
    for number in range(depth):
        made = {**endorsement(f"x{number}"), "credentialSubject": {"id": DID, "type": ["EndorsementSubject"]}}
        made = {**made, "issuer": issuer, "proof": []}
        issuer = {"id": DID, "type": ["Profile"], "endorsement": [made]}
    return credential(0, 1, endorsement=[made])


def refused_profiles(depth: int) -> dict[str, Any]:
    """Return a credential with three chains of profiles, nothing of which the schema takes."""
    names = ("name", "url", "phone", "description", "image", "email", "address", "official", "dateOfBirth")
    profile: dict[str, Any] = {}
    for _ in range(depth):
        profile = {"id": 1, "type": 1, **dict.fromkeys(names, 1), "parentOrg": profile}
    subject = {"type": 1, "source": profile, "achievement": {"id": 1, "creator": profile}}
    return credential(0, 1, issuer=profile, credentialSubject=subject)


def numbers(count: int) -> dict[str, Any]:
    """Return a credential full of fractions, under proofs over JSON in another context each."""
    made = credential(0, 0, evidence=[{"id": f"urn:e:{one}", "https://x.example/n": one + 0.1} for one in range(count)])
    suites = [proof(str(one), cryptosuite="eddsa-jcs-2022", **{"@context": CONTEXTS[0]}) for one in range(8)]
    return {**made, "proof": suites}


def many_types(count: int) -> dict[str, Any]:
    """Return a credential whose parts have types that each bring a context of their own, in ever other orders."""
    kinds = ("Achievement", "Profile", "Evidence", "Result", "Alignment", "Criteria", "Image", "Related")
    parts = [
        {"id": f"urn:p:{one}", "type": [kinds[one * step % len(kinds)] for step in (1, 3, 5, 7)]}
        for one in range(count)
    ]
    return credential(0, 8, evidence=parts)


def record(count: int) -> dict[str, Any]:
    """Return a learner record with so many credentials in it."""
    held = [credential(5, 8, number=f"r{one}") for one in range(count)]
    subject = {"id": "urn:subject:0", "type": ["ClrSubject"], "verifiableCredential": held}
    return credential(6, 8, type=["VerifiableCredential", "ClrCredential"], name="All", credentialSubject=subject)


def named(number: int) -> dict[str, Any]:
    """Return a credential whose issuer has a name of its own: forty words of letters that look like others."""
    words = (f"\u0431\u0142{(number * 40 + word) % 1_000:03}"[:4] for word in range(40))
    issuer = {"id": f"did:web:x{number}.example", "type": ["Profile"], "name": " ".join(words)}
    return {**credential(0, 1, number=f"n{number}"), "issuer": issuer}


def named_record(count: int) -> dict[str, Any]:
    """Return a learner record with so many credentials of that kind."""
    subject = {
        "id": "urn:subject:0",
        "type": ["ClrSubject"],
        "verifiableCredential": [named(one) for one in range(count)],
    }
    return credential(0, 1, type=["VerifiableCredential", "ClrCredential"], name="All", credentialSubject=subject)


def namesakes(number: int, count: int) -> dict[str, Any]:
    """Return a learner record with so many credentials of nothing but an issuer, each of a long name of its own."""

    def of(one: int) -> dict[str, Any]:
        words = (f"{'bcdfghklmnprst'[(one * 7 + place) % 14]}anksiac{one:06}ollege"[:15] for place in range(12))
        issuer = {"id": f"did:web:x{one}.example", "name": " ".join(words)}
        return {"@context": [CONTEXTS[0]], "type": ["VerifiableCredential"], "issuer": issuer}

    first = number * (count + 1)
    held = [of(one) for one in range(first + 1, first + 1 + count)]
    subject = {"type": ["ClrSubject"], "verifiableCredential": held}
    return {**of(first), "type": ["VerifiableCredential", "ClrCredential"], "credentialSubject": subject}


def token(header: int, payload: int) -> str:
    """Return a JSON Web Token with a header and a payload of so many bytes."""
    head = {"alg": "EdDSA", "typ": "vc+jwt", "kid": METHOD, "x": "y" * header}
    said = {**credential(5, 0), "description": "z" * payload}
    parts = [base64.urlsafe_b64encode(orjson.dumps(one)).rstrip(b"=").decode() for one in (head, said)]
    return ".".join([*parts, "A" * 86])


def random_document(chance: random.Random) -> dict[str, Any]:
    """Return a hostile document by chance: parts that are known to cost, in numbers that nobody has tried."""
    makers: list[Callable[[], dict[str, Any]]] = [
        lambda: credential(chance.randint(3, 30), chance.randint(1, 8)),
        lambda: credential(chance.randint(3, 7), 8, evidence=alike(chance.randint(3, 7))),
        lambda: endorsed(chance.randint(1, 32)),
        lambda: chained(chance.randint(2, 8)),
        lambda: presentation([endorsed(chance.randint(1, 4)) for _ in range(chance.randint(1, 8))]),
        lambda: presentation([credential(chance.randint(2, 6), 8, number=str(one)) for one in range(32)]),
        lambda: nested(chance.randint(5, 60)),
        lambda: wide(chance.randint(100, 3_000)),
        lambda: refused_endorsements(chance.randint(1, 12), chance.randint(10, 200_000)),
        lambda: refused_profiles(chance.randint(1, 30)),
        lambda: numbers(chance.randint(100, 3_000)),
        lambda: many_types(chance.randint(100, 1_500)),
        lambda: record(chance.randint(1, 40)),
    ]
    return chance.choice(makers)()
