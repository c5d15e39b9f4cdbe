"""What a badge's page shows: read from documents of any shape, with nothing in them becoming markup or a bad link."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.errors import AutoReconnect

from libs.common.text import UNSEEN
from libs.openbadges.model.findings import Outcome
from libs.openbadges.verify import CHECKS, Check, Report, ResolvedInputs, verify
from services.verifier.material.affiliation import Affiliation, Affiliations
from services.verifier.material.records import Organisation
from services.verifier.pages.badge import Badge, badge_of, safe_link
from services.verifier.pages.pages import Pages
from tests.verifier_doubles import LEARNER, NOW, MemoryRepository, School

ID = UUID("0f4ac6a1-59e9-4a3c-95ad-000000000001")
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}</style>\u202egnp.exe'
PAGES = Pages()


def report(**outcomes: tuple[Outcome, str]) -> Report:
    checks = [Check(name, *outcomes.get(name, ("pass", "fine")), f"About {name}.", NOW) for name in CHECKS]
    return Report(tuple(checks), {})


def document(**changes: Any) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(School().badge(ID))
    return {**read, **changes}


def html_of(shown: dict[str, Any], found: Report | None = None) -> str:
    adults = Affiliation(learners_from_16=True)
    return bytes(PAGES.badge(ID, shown, found or report(), "https://badges.example", adults).body).decode()


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def links(self) -> list[str]:
        return [attrs.get("href") or "" for tag, attrs in self.tags if tag == "a"]


@pytest.mark.parametrize(
    ("identifiers", "expected"),
    [
        ({"identifierType": "ext:LinkedIn:organizationId", "identifier": "1337"}, "organizationId=1337"),
        ([{"identifierType": "ext:LinkedIn:organizationId", "identifier": "1337&x=1"}], "organizationName=Wattle"),
        ([{"identifierType": "nationalIdentityNumber", "identifier": "1337"}, 5], "organizationName=Wattle"),
        (None, "organizationName=Wattle"),
    ],
)
def test_linkedin_is_told_the_issuers_number_there_or_its_name_and_never_both(identifiers: Any, expected: str) -> None:
    issuer = {**document()["issuer"], "otherIdentifier": identifiers}
    (link,) = [each for each in Tags(html_of(document(issuer=issuer))).links() if "linkedin" in each]
    assert expected in link
    assert len(re.findall("organization(?:Id|Name)=", link)) == 1


def everywhere(text: str, value: Any) -> Any:
    """The same document with every text in it replaced, keys and ids of levels kept."""
    if isinstance(value, dict):
        return {key: everywhere(text, one) for key, one in value.items()}
    if isinstance(value, list):
        return [everywhere(text, one) for one in value]
    return text if isinstance(value, str) else value


def test_the_badge_says_who_what_level_evidence_issuer_and_date() -> None:
    badge = badge_of(document(), report())
    assert badge.title == "Resilience"
    assert badge.learner == LEARNER
    assert badge.issuer == "Wattle Grove High School"
    assert badge.issued == datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
    assert [step.name for step in badge.steps] == [
        "Prestructural",
        "Unistructural",
        "Multistructural",
        "Relational",
        "Extended abstract",
    ]
    assert badge.achieved is not None
    assert (badge.achieved.name, badge.position) == ("Relational", 4)
    assert badge.evidence[0].host == "portfolio.wattlegrove.example"


def test_one_level_is_reached_even_where_two_share_an_id() -> None:
    text = School().badge(ID).replace("#extended-abstract", "#relational")
    badge = badge_of(orjson.loads(text), report())
    assert [step.name for step in badge.steps if step.achieved] == ["Relational"]


LEVELS = ["Prestructural", "Unistructural", "Multistructural", "Relational", "Extended abstract"]


def with_levels(order: Sequence[int], points: Sequence[object] = ("0", "1", "2", "3", "4")) -> dict[str, Any]:
    """The badge with its levels in another order, and with these points, each None for none."""
    read = document()
    described = read["credentialSubject"]["achievement"]["resultDescription"][0]
    levels = [
        {key: value for key, value in (level | {"points": each}).items() if value is not None}
        for level, each in zip(described["rubricCriterionLevel"], points, strict=True)
    ]
    described["rubricCriterionLevel"] = [levels[place] for place in order]
    return read


def checked_html(read: dict[str, Any]) -> str:
    return bytes(PAGES.checked(replace(report(), credential=read)).body).decode()


def test_a_bad_endorsement_does_not_make_a_record_real_that_holds_a_bad_credential() -> None:
    endorsed = report(endorsement=("fail", "endorsement_failed"))
    said = "This badge is real and still good; an endorsement on it is not confirmed"
    assert said in html_of(document(), replace(endorsed, embedded=(report(),)))
    outcomes: tuple[Outcome, ...] = ("fail", "unknown")
    for outcome in outcomes:
        assert said not in html_of(document(), replace(endorsed, embedded=(report(proof=(outcome, "other")),)))


@given(st.permutations(range(5)))
@settings(deadline=None, max_examples=10)
def test_the_order_of_an_array_which_no_proof_covers_changes_no_step(order: Sequence[int]) -> None:
    badge = badge_of(with_levels(order), report())
    assert [step.name for step in badge.steps] == LEVELS
    assert badge.position == 4
    assert "step 4 of 5" in html_of(with_levels(order))
    assert "step 4 of 5" in checked_html(with_levels(order))


def test_a_badge_whose_levels_were_reversed_verifies_as_it_did() -> None:
    school, turned = School(), orjson.dumps(with_levels(range(4, -1, -1))).decode()
    known = ResolvedInputs({school.did: orjson.loads(school.did_document)})
    proofs = [verify(text, known, NOW).check("proof") for text in (school.badge(ID), turned)]
    assert [proof.outcome for proof in proofs] == ["pass", "pass"]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "points",
    [
        (None,) * 5,
        ("0", "1", "2", None, "4"),
        ("0", "1", "2", "2.0", "4"),
        ("low", "1", "2", "3", "4"),
        ("0", "1", "2", "3", "NaN"),
        ("0", "1", "2", "3", "Infinity"),
        ("0", "1", "2", ["3"], "4"),
        ("0", "1", "2", True, "4"),
        ("0", "1", "2", "9" * 50, "4"),
        ("0", "1", "2", "\u0663", "4"),
    ],
    ids=ascii,
)
def test_levels_without_a_number_of_their_own_are_no_steps(points: Sequence[object], turned: bool) -> None:
    read = with_levels(range(4, -1, -1) if turned else range(5), points)
    badge = badge_of(read, report())
    assert badge.position == 0
    assert badge.achieved is not None
    assert badge.achieved.name == "Relational"
    for html in (html_of(read), checked_html(read)):
        assert "Relational" in html
        assert not re.search(r"step \d|lowest|class=\"(?:bar|structure)\"", html.partition("</style>")[2])


def test_a_level_listed_twice_makes_no_scale_longer() -> None:
    read = document()
    described = read["credentialSubject"]["achievement"]["resultDescription"][0]
    described["rubricCriterionLevel"].append(described["rubricCriterionLevel"][0])
    assert badge_of(read, report()).position == 0


def test_levels_are_ordered_as_numbers_are() -> None:
    badge = badge_of(with_levels(range(5), ("10", "9.5", "-1", "+2", "0")), report())
    assert [step.name for step in badge.steps] == [LEVELS[place] for place in (2, 4, 3, 1, 0)]
    assert badge.position == 3


def test_the_page_names_no_learner_and_says_why() -> None:
    html = html_of(document())
    assert LEARNER in html
    assert "Names are private" in html


def test_hostile_text_in_any_place_of_a_document_becomes_no_markup() -> None:
    quiet, loud = Tags(html_of(document())), Tags(html_of(everywhere(HOSTILE, document())))
    assert "script" not in {tag for tag, _ in loud.tags}
    assert {tag for tag, _ in loud.tags} <= {tag for tag, _ in quiet.tags}
    assert not [name for _, attrs in loud.tags for name in attrs if name.startswith("on")]
    html = html_of(everywhere(HOSTILE, document()))
    assert "\u202e" not in html
    assert "{{ 7*7 }}" in html


@pytest.mark.parametrize("unseen", sorted(UNSEEN))
def test_what_shows_nothing_stands_on_no_page(unseen: str) -> None:
    assert unseen not in html_of(everywhere(f"Pay{unseen}pal", document()))


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://files.example/x",
        "https://",
        "https:///path",
        "//elsewhere.example",
        "/badges/1",
        "java\nscript:alert(1)",
        "https://a.example/\u202egnp",
        "https://[",
        "",
        None,
        7,
    ],
)
def test_only_web_addresses_become_links(address: object) -> None:
    assert safe_link(address) is None
    evil = document(evidence=[{"id": address, "name": "Evil"}])
    assert not [link for link in Tags(html_of(evil)).links() if link.startswith(("java", "data", "vb", "file", "ftp"))]


def test_every_link_that_a_document_brings_gives_the_other_site_no_credit_and_no_handle() -> None:
    for tag, attrs in Tags(html_of(document())).tags:
        if tag == "a" and (attrs.get("href") or "").startswith("http"):
            assert attrs["rel"] == "nofollow noopener noreferrer"


json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["id", "name", "achievement", "criteria", "result", "resultDescription", "rubricCriterionLevel",
             "achievedLevel", "narrative", "value", "level", "description"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["id", "name", "issuer", "credentialSubject", "evidence", "validFrom", "validUntil"]), json
    )
)
def test_a_document_of_any_shape_makes_a_page(shown: dict[str, Any]) -> None:
    assert "</html>" in html_of(shown)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z"])
def test_dates_at_the_ends_of_the_calendar_do_not_break_the_page(moment: str) -> None:
    assert "</html>" in html_of(document(validFrom=moment, validUntil=moment))


def shown(**outcomes: tuple[Outcome, str]) -> Badge:
    return badge_of(document(), report(**outcomes))


def test_a_badge_that_is_only_revoked_is_told_apart_from_a_false_one() -> None:
    assert shown(status=("fail", "revoked")).verdict == "revoked"
    assert shown(status=("fail", "revoked"), proof=("fail", "proof_invalid")).verdict == "fail"
    assert shown(status=("fail", "suspended")).verdict == "fail"


def test_a_bad_endorsement_is_shown_and_does_not_call_the_badge_itself_bad() -> None:
    found = report(endorsement=("fail", "endorsement_invalid"))
    html = html_of(document(), found)
    assert "real and still good; an endorsement on it is not confirmed" in html
    assert "About endorsement." in html
    shown_badge = badge_of(document(), found)
    assert (shown_badge.real.outcome, shown_badge.good.outcome, shown_badge.verdict) == ("pass", "pass", "unknown")
    revoked = report(endorsement=("fail", "endorsement_invalid"), status=("fail", "revoked"))
    assert badge_of(document(), revoked).verdict == "revoked"
    assert "is not confirmed" not in html_of(document(), revoked)


@pytest.mark.parametrize("code", ["message", "revoked", "suspended", "refresh_available"])
def test_an_issuers_message_for_programmers_is_not_shown_on_the_page(code: str) -> None:
    outcome: Outcome = "fail" if code in {"revoked", "suspended"} else "pass"
    html = html_of(document(), report(status=(outcome, code)))
    assert "About status." not in html


def test_could_not_check_is_shown_as_neither_yes_nor_no() -> None:
    found = report(status=("unknown", "STATUS_RETRIEVAL_ERROR"))
    html = html_of(document(), found)
    assert "could not be checked in full" in html
    assert "neither a yes nor a no" in html
    assert badge_of(document(), found).good.word == "Could not check"


def test_what_is_not_proven_is_never_called_still_good_nor_issued() -> None:
    tampered = shown(proof=("fail", "proof_invalid"))
    assert (tampered.signed_by.outcome, tampered.good.outcome) == ("fail", "fail")
    unproven = shown(issuer=("unknown", "issuer_unavailable"))
    assert (unproven.real.outcome, unproven.good.outcome) == ("pass", "unknown")
    assert "Issued by <strong>" not in html_of(document(), report(proof=("fail", "proof_invalid")))


def test_every_check_stands_on_the_page_in_words_and_with_a_shape() -> None:
    found = report(proof=("fail", "x"), status=("unknown", "y"))
    html = html_of(document(), found)
    for check in found.checks:
        assert f"About {check.name}." in html
    assert {"Passed.", "Failed.", "Could not check."} <= set(re.findall(r"<strong>([^<]+)</strong>", html))
    marks = re.findall(r'class="mark (\w+)"[^>]*><(circle|path)[^>]* d?=?"?([^"]*)', html)
    assert {name for name, _, _ in marks} >= {"pass", "fail", "unknown"}


def test_ids_on_the_page_are_unique_and_headings_do_not_skip_a_level() -> None:
    tags = Tags(html_of(document())).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    labelled = {attrs["aria-labelledby"] for _, attrs in tags if "aria-labelledby" in attrs}
    assert labelled <= set(ids)


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        colour = colour if len(colour) == 7 else "#" + "".join(c * 2 for c in colour[1:])
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_pair_of_colours_that_carries_text_has_the_contrast_of_wcag_aa() -> None:
    style = html_of(document()).partition("<style>")[2].partition("</style>")[0]
    pairs = [("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("blue", "card")]
    pairs += [("blue", "paper"), ("on-blue", "blue"), ("blue", "wash"), ("ink", "wash")]
    pairs += [(name, f"{name}-wash") for name in ("pass", "fail", "unknown")]
    pairs += [("ink", f"{name}-wash") for name in ("pass", "fail", "unknown")]
    pairs += [(name, "card") for name in ("pass", "fail", "unknown")]
    themes = re.findall(r":root\{(--paper[^}]*)\}", style)
    assert len(themes) == 3
    for theme in themes:
        colours = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]+)", theme))
        for front, back in pairs:
            assert _contrast(colours[front], colours[back]) >= 4.5, (front, back)


def test_a_score_is_told_with_the_most_and_with_what_earns_it() -> None:
    shown = document()
    subject = shown["credentialSubject"]
    subject["achievement"]["resultDescription"] = [
        {"id": "#score", "name": "Score", "valueMax": "100", "requiredValue": "66"}
    ]
    subject["result"] = [{"resultDescription": "#score", "value": "82"}]
    assert badge_of(shown, report()).results == (("Score", "82 of 100 (66 or more earns it)"),)


@pytest.mark.parametrize(
    ("written", "day"),
    [("2026-03-05T00:00:00Z", "5 March 2026"), ("2026-03-05T00:00:00+10:00", "5 March 2026"),
     ("2026-03-05T20:00:00Z", "6 March 2026"), ("0001-01-01T00:00:01Z", None)],
)  # fmt: skip
def test_a_day_that_was_told_as_a_day_is_that_day_in_every_time_zone(written: str, day: str | None) -> None:
    shown = document()
    shown["credentialSubject"]["activityEndDate"] = written
    there = Affiliation(ZoneInfo("Australia/Sydney"), "Department of Education")
    html = bytes(PAGES.badge(ID, shown, report(), "https://badges.example", there).body).decode()
    if day is not None:
        assert re.search(rf"Earned <time[^>]*>{day}</time>", html)
    assert "Department of Education" in html


async def test_times_are_those_of_the_school_else_of_its_department_else_utc() -> None:
    known = MemoryRepository()
    affiliations = Affiliations(known)
    assert await affiliations.of("nobody") == await affiliations.of(None) == Affiliation()
    known.organisations = {
        "department": Organisation("did:web:d", "Department", None, None, "Australia/Perth"),
        "here": Organisation("did:web:h", "Here", None, None, None, "department"),
        "there": Organisation("did:web:t", "There", None, None, "Asia/Kolkata", "department"),
        "odd": Organisation("did:web:o", "Odd", None, None, "Nowhere/../Town"),
    }
    assert await affiliations.of("here") == Affiliation(ZoneInfo("Australia/Perth"), "Department")
    assert await affiliations.of("there") == Affiliation(ZoneInfo("Asia/Kolkata"), "Department")
    assert await affiliations.of("odd") == Affiliation()
    known.away = AutoReconnect("away")
    assert await affiliations.of("another") == Affiliation(), "LinkedIn is not offered unless it is known to be right"
