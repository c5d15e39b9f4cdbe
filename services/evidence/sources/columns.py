"""The columns of evidence: one table of what each means, whether it becomes public, and the form of its values."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from libs.common import addresses, web_urls
from services.evidence.sources.refusals import Reason


@dataclass(frozen=True, slots=True)
class Form:
    """What a value must match as a whole, and what is said where it does not.

    Of addresses and links more is taken than the pattern says, and written in its form (`rows.py`).
    """

    pattern: re.Pattern[str]
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file, or one member of a JSON object.

    Attributes:
        longest: most characters of a value.
        meaning: for people.
        example: a value that is taken; none where the example leaves the column out.
        public: stands on the badge's open page and in the signed credential, which is in others' hands from then on.
        by_choice: it does so only where the issuer's profile makes evidence public (`public_evidence`).
        personal: leaves the row for the topic of contacts alone (promise 7).
        several_lines: may hold line ends.
    """

    name: str
    longest: int
    meaning: str
    example: str | None = None
    required: bool = False
    public: bool = False
    by_choice: bool = False
    personal: bool = False
    several_lines: bool = False
    form: Form | None = None

    @property
    def mark(self) -> Literal["public", "public by choice", ""]:
        """What people are told beside its name of who can read it; empty where the school alone can."""
        return "" if not self.public else "public by choice" if self.by_choice else "public"


# An identifier: no space and no @, so that neither a name nor an address is mistaken for one. Two kinds of text are
# none, for they may stand for several: what programs rewrite (1.00E+05, 1.2345678E7; 1001.0, of a column in which one
# cell is empty; 9-Mar, of 9-3 and 9/3), and what they or people write for an empty cell. 7E12 is the twelfth of 7E.
_MONTH: Final = "(?:[Jj]an|[Ff]eb|[Mm]ar|[Aa]pr|[Mm]ay|[Jj]un|[Jj]ul|[Aa]ug|[Ss]ep|[Oo]ct|[Nn]ov|[Dd]ec)"
_REWRITTEN: Final = (
    r"[0-9]+(?:\.[0-9]*[Ee][+-]?[0-9]+|[Ee]\+[0-9]+|\.0*)"
    rf"|[0-9]{{1,2}}-{_MONTH}(?:-[0-9]{{2,4}})?|{_MONTH}-[0-9]{{2,4}}"
)
_EMPTY: Final = (
    r"[Nn][Aa][NnTt]|[Nn]/?[Aa]|[Nn]\.[Aa]\.?|[Nn][Uu][Ll][Ll]|[Nn][Oo][Nn][Ee]|[Nn][Ii][Ll]"
    r"|[Uu][Nn][Dd][Ee][Ff][Ii][Nn][Ee][Dd]|[Uu][Nn][Kk][Nn][Oo][Ww][Nn]|[Tt][Bb][AaCcDd]|[Mm][Ii][Ss][Ss][Ii][Nn][Gg]"
    r"|[Bb][Ll][Aa][Nn][Kk]|[Ee][Mm][Pp][Tt][Yy]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Ii][Nn][Ff](?:[Ii][Nn][Ii][Tt][Yy])?"
)
_IS_ONE: Final = rf"(?!(?:{_REWRITTEN}|{_EMPTY})$)"
_SOURCE_ID: Final = re.compile(rf"{_IS_ONE}[A-Za-z0-9][A-Za-z0-9_.:/#+=|~-]*")
_LEARNER_ID: Final = re.compile(rf"{_IS_ONE}[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}")
_ACHIEVEMENT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# A class or a term by its short name (7B, 2026-T3): no space, so that no name is mistaken for one.
_GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_EMAIL: Final = re.compile(addresses.PATTERN)
_LINK: Final = re.compile(web_urls.PATTERN)

TABLE: Final = (
    Column(
        "source_id",
        200,
        "Identifies this piece of evidence in the sender's system; sent again, it is the same piece.",
        "vw-2026-0001",
        required=True,
        form=Form(
            _SOURCE_ID,
            Reason.SOURCE_ID_FORM,
            "A source id starts with a letter or digit and holds letters, digits and . : / # + = | ~ _ - only, and is"
            " neither what a program has rewritten (1001.0, 1.00E+05, 9-Mar; format that column as text) nor what"
            " stands for an empty cell (NULL, unknown).",
        ),
    ),
    Column(
        "learner_id",
        64,
        "Identifies the learner in the school's systems. Neither a name nor an e-mail address.",
        "S1024",
        required=True,
        form=Form(
            _LEARNER_ID,
            Reason.LEARNER_ID_FORM,
            "A learner id starts with a letter or digit and holds letters, digits, dot, underscore and hyphen only, and"
            " is neither what a program has rewritten (1001.0, 1.00E+05, 9-Mar; format that column as text) nor what"
            " stands for an empty cell (NULL, unknown).",
        ),
    ),
    Column("learner_name", 200, "The learner's name, for the e-mail about the badge.", "Zoë Ånström", personal=True),
    Column(
        "learner_email",
        254,
        "Where the learner is told; without it nobody is.",
        "zoe@school.example",
        personal=True,
        form=Form(
            _EMAIL,
            Reason.EMAIL_FORM,
            "This is not an e-mail address; leave the column empty where there is none.",
        ),
    ),
    Column(
        "achievement",
        64,
        "The id of the achievement in the catalogue.",
        "resilience",
        required=True,
        public=True,
        form=Form(
            _ACHIEVEMENT,
            Reason.ACHIEVEMENT_FORM,
            "An achievement is named by its id: small letters, digits and hyphens.",
        ),
    ),
    Column(
        "level",
        40,
        "The level of the SOLO taxonomy that was shown, in any case. Give a level or a score, not both.",
        "relational",
        public=True,
    ),
    Column(
        "score",
        40,
        "A score from 0 to 100, kept exactly: at most 15 digits or so. Give a level or a score, not both.",
        public=True,
    ),
    Column(
        "date",
        40,
        "The day on which it was shown (ISO 8601), since 1950; not in the future.",
        "2026-03-09",
        True,
        True,
    ),
    Column(
        "activity",
        300,
        "What the learner did. Where your profile makes evidence public it stands on the badge's open page: no names of"
        " others.",
        "Raft building, day 3 of Values Week",
        required=True,
        public=True,
        by_choice=True,
    ),
    Column(
        "class",
        64,
        "The learner's class by its short name, such as 7B.",
        "7B",
        form=Form(
            _GROUP,
            Reason.CLASS_FORM,
            "A class is named by a short identifier such as 7B: letters, digits, dot, underscore, slash and hyphen"
            " only.",
        ),
    ),
    Column(
        "term",
        64,
        "The term by its short name, such as 2026-T3.",
        "2026-T1",
        form=Form(
            _GROUP,
            Reason.TERM_FORM,
            "A term is named by a short identifier such as 2026-T3: letters, digits, dot, underscore, slash, hyphen"
            " only.",
        ),
    ),
    Column("assessor", 200, "Who saw it, for the school alone.", "Ms Pike"),
    Column(
        "comment",
        4000,
        "What the assessor notes, for the school alone.",
        "Rebuilt the raft twice and said why the second knot held.",
        several_lines=True,
    ),
    Column(
        "link",
        2000,
        "Where the work can be seen (http or https). Where your profile makes evidence public it stands on the badge's"
        " open page: a link with a token, or to a private network, is refused.",
        "https://portfolio.school.example/raft",
        public=True,
        by_choice=True,
        form=Form(
            _LINK,
            Reason.LINK_FORM,
            "A link starts with https:// or http:// and holds no spaces, user names or passwords.",
        ),
    ),
)

COLUMNS: Final = tuple(column.name for column in TABLE)
REQUIRED: Final = tuple(column.name for column in TABLE if column.required)
BY_NAME: Final = {column.name: column for column in TABLE}
# What a name in a file's first row most likely means, where it is none of ours.
OTHER_NAMES: Final = {
    name: column
    for column, names in {
        "source_id": "id record_id row_id evidence_id reference ref uid",
        "learner_id": "student_id student_code student_number student_no pupil_id learner_code learner_number",
        "learner_name": "name student student_name pupil pupil_name learner full_name",
        "learner_email": "email e_mail mail email_address student_email contact",
        "achievement": "badge badge_id award skill credential achievement_id",
        "level": "solo solo_level rating",
        "score": "mark marks percent percentage points result grade",
        "date": "day date_achieved achieved_on date_awarded observed_on date_observed awarded_on",
        "activity": "task event assessment project description evidence",
        "class": "class_name group form homeroom",
        "term": "semester period school_term",
        "assessor": "teacher staff marker observer assessed_by",
        "comment": "comments note notes remark remarks feedback",
        "link": "url links web_link hyperlink evidence_link evidence_url",
    }.items()
    for name in names.split()
}
