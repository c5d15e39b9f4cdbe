"""The demo's department: three schools, about 300 learners, one Values Week of evidence. The same on every run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from demo import mishaps, words
from demo.chance import Chance
from demo.mishaps import Mishap, Row
from demo.names import PEOPLE, TEACHERS
from libs.contracts.results import SoloLevel

SEED: Final = "values week"
MONDAY: Final = date(2026, 10, 12)
DAYS: Final = tuple(MONDAY + timedelta(days=day) for day in range(5))

COLUMNS: Final = (
    "source_id",
    "learner_id",
    "learner_name",
    "learner_email",
    "achievement",
    "level",
    "score",
    "date",
    "activity",
    "assessor",
    "comment",
    "link",
)

_LEVELS: Final = tuple(SoloLevel)
_FIRST_LEVEL_WEIGHTS: Final = (25, 40, 24, 9, 2)
_SEEN_IN_AN_ACTIVITY: Final = 0.34
_WITHOUT_ADDRESS: Final = 0.08
_WITHOUT_NAME: Final = 0.01


@dataclass(frozen=True, slots=True)
class Learner:
    """Somebody on a school's roll; `email` and `name` are empty where the school does not give them."""

    local_id: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class SchoolFile:
    """One file of rows, in the order in which they stand.

    Attributes:
        name: of the file; its ending says its form (.csv, .ndjson, .gz on top).
        rows: as sent.
        bom_and_crlf: written by a spreadsheet program on Windows.
        sendings: how often the school sends it, by mistake or not.
    """

    name: str
    rows: tuple[Row, ...]
    bom_and_crlf: bool = False
    sendings: int = 1


@dataclass(frozen=True, slots=True)
class School:
    """A school, its roll and what it sends, in order."""

    id: str
    name: str
    learners: tuple[Learner, ...]
    files: tuple[SchoolFile, ...]

    @property
    def url(self) -> str:
        """The school's site."""
        return f"https://{self.id}.example"

    @property
    def email(self) -> str:
        """Where the school's office reads mail."""
        return f"office@{self.id}.example"


@dataclass(frozen=True, slots=True)
class Department:
    """The department whose catalogue the schools share."""

    id: str
    name: str
    schools: tuple[School, ...]


def department(seed: str = SEED) -> Department:
    """The whole of the demo's data; the same seed gives the same bytes."""
    return Department(
        "wattle-state",
        "Wattle State Department of Education",
        (_banksia(seed), _saltbush(seed), _lyrebird(seed)),
    )


def _banksia(seed: str) -> School:
    """A spreadsheet a day, as Windows writes it; Wednesday's is sent twice; corrections follow at the end."""
    chance = Chance(f"{seed} banksia-college")
    learners = _roll(chance, "banksia-college", "B{:04}", 104)
    rows = _week(chance, "banksia-college", learners, "VW26-{:04}", _as_in_a_sentence)
    plans: tuple[tuple[Mishap, ...], ...] = (
        (mishaps.level_missing, mishaps.date_day_first),
        (mishaps.learner_id_with_space, mishaps.level_misspelt),
        (mishaps.achievement_unknown, mishaps.email_with_comma),
        (mishaps.date_digits_swapped, mishaps.level_missing),
        (mishaps.date_day_first,),
    )
    files, corrected = [], []
    for day, plan in zip(DAYS, plans, strict=True):
        good = [row for row in rows if row.values["date"] == day.isoformat()]
        sent, whole = _spoil(chance, good, plan)
        corrected += whole
        if day == DAYS[1]:
            sent = _send_row_twice(chance, sent, 2)
        if day == DAYS[4]:
            sent = _reuse_source_id(chance, sent)
        files.append(SchoolFile(f"banksia-{day}.csv", tuple(sent), bom_and_crlf=True, sendings=1 + (day == DAYS[2])))
    files.append(SchoolFile("banksia-corrections.csv", tuple(corrected), bom_and_crlf=True))
    return School("banksia-college", "Banksia College", learners, tuple(files))


def _saltbush(seed: str) -> School:
    """Two files, the second one compressed; long comments with commas, quotes and lines of their own."""
    chance = Chance(f"{seed} saltbush-high")
    learners = _roll(chance, "saltbush-high", "s.{:03}", 97)
    rows = [
        _with_long_comment(chance, row) for row in _week(chance, "saltbush-high", learners, "SB/{:05}", _in_capitals)
    ]
    plans: tuple[tuple[Mishap, ...], ...] = (
        (mishaps.comma_unquoted, mishaps.level_and_score, mishaps.learner_id_with_hash),
        (mishaps.link_without_scheme, mishaps.achievement_as_title, mishaps.level_missing),
    )
    files = []
    for name, days, plan in (("mon-wed.csv", DAYS[:3], plans[0]), ("thu-fri.csv.gz", DAYS[3:], plans[1])):
        dates = {day.isoformat() for day in days}
        sent, _ = _spoil(chance, [row for row in rows if row.values["date"] in dates], plan)
        files.append(SchoolFile(f"saltbush-{name}", tuple(_send_row_twice(chance, sent, 3))))
    return School("saltbush-high", "Saltbush High School", learners, tuple(files))


def _lyrebird(seed: str) -> School:
    """The export of a learning platform: NDJSON, the whole week in one file."""
    chance = Chance(f"{seed} lyrebird-academy")
    learners = _roll(chance, "lyrebird-academy", "lyr-2026-{:03}", 101)
    rows = _week(chance, "lyrebird-academy", learners, "obs-{:06}", _as_we_do)
    plan = (
        mishaps.line_cut,
        mishaps.line_in_latin_1,
        mishaps.learner_missing,
        mishaps.level_as_number,
        mishaps.achievement_unknown,
        mishaps.date_digits_swapped,
    )
    sent, _ = _spoil(chance, rows, plan)
    sent = _reuse_source_id(chance, _send_row_twice(chance, sent, 4))
    return School(
        "lyrebird-academy",
        "Lyrebird Academy",
        learners,
        (SchoolFile("lyrebird-week.ndjson", tuple(sent)),),
    )


def _as_we_do(level: SoloLevel) -> str:
    return level.value


def _as_in_a_sentence(level: SoloLevel) -> str:
    return level.label


def _in_capitals(level: SoloLevel) -> str:
    return level.value.replace("_", "-").upper()


def _roll(chance: Chance, school: str, local_id: str, count: int) -> tuple[Learner, ...]:
    learners = []
    for number in range(1, count + 1):
        local = local_id.format(number)
        people = chance.weighted(PEOPLE, [group.share for group in PEOPLE])
        parts = [chance.one_of(people.given)]
        if people.family:
            parts.insert(0 if people.family_first else 1, chance.one_of(people.family))
        name = "" if chance.happens(_WITHOUT_NAME) else people.joint.join(parts)
        email = "" if chance.happens(_WITHOUT_ADDRESS) else f"{local.lower()}@students.{school}.example"
        learners.append(Learner(local, name, email))
    return tuple(learners)


def _week(
    chance: Chance,
    school: str,
    learners: Sequence[Learner],
    source_id: str,
    written: Callable[[SoloLevel], str],
) -> list[Row]:
    """Who was seen doing what, in the order of the week. Each learner's level wanders upwards."""
    at = {learner.local_id: chance.weighted(range(5), _FIRST_LEVEL_WEIGHTS) for learner in learners}
    rows: list[Row] = []
    for day, activities in zip(DAYS, words.ACTIVITIES, strict=True):
        for activity in activities:
            assessor = chance.one_of(TEACHERS[school])
            for learner in learners:
                if chance.happens(_SEEN_IN_AN_ACTIVITY):
                    level = _LEVELS[at[learner.local_id]]
                    at[learner.local_id] = min(4, max(0, level.rank + chance.weighted((-1, 0, 1), (12, 53, 35))))
                    number = source_id.format(len(rows) + 1)
                    linked = chance.happens(0.1)
                    rows.append(
                        Row(
                            {
                                "source_id": number,
                                "learner_id": learner.local_id,
                                "learner_name": learner.name,
                                "learner_email": learner.email,
                                "achievement": words.ACHIEVEMENT,
                                "level": written(level),
                                "score": "",
                                "date": day.isoformat(),
                                "activity": activity,
                                "assessor": assessor,
                                "comment": chance.one_of(words.NOTES[level]),
                                "link": f"https://portfolio.{school}.example/{len(rows) + 1}" if linked else "",
                            }
                        )
                    )
    return rows


def _with_long_comment(chance: Chance, row: Row) -> Row:
    if not chance.happens(0.3):
        return row
    return row.but(comment=f'{row.values["comment"]}\n"Again, please", they said; seen twice, agreed by both of us.')


def _spoil(chance: Chance, good: Sequence[Row], plan: Sequence[Mishap]) -> tuple[list[Row], list[Row]]:
    """Let each mishap befall one row. Returns the rows as sent, and what will be refused as it ought to have been."""
    sent, whole = list(good), []
    candidates = [index for index, row in enumerate(good) if row.values["learner_email"]]
    for mishap, index in zip(plan, chance.some_of(candidates, len(plan)), strict=True):
        sent[index] = mishap(good[index])
        if sent[index].refused or sent[index].values["achievement"] != words.ACHIEVEMENT:
            whole.append(good[index])
    return sent, whole


def _send_row_twice(chance: Chance, rows: Sequence[Row], times: int) -> list[Row]:
    """Copy a few good rows to the end of the file, as a hurried paste does."""
    fine = [row for row in rows if not row.refused]
    return [*rows, *chance.some_of(fine, times)]


def _reuse_source_id(chance: Chance, rows: Sequence[Row]) -> list[Row]:
    """One row was copied to write another one, and its id came along."""
    copied = chance.one_of([row for row in rows if not row.refused and row.values["achievement"] == words.ACHIEVEMENT])
    return [*rows, copied.but(activity="Tidying up afterwards", comment="Stayed until the last rope was dry.")]
