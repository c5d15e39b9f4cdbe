"""Why a row of evidence is refused when it is read, or taken with a warning: stable codes, and what is said of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from libs.common.contact_details import ContactDetail


class Reason(StrEnum):
    """Why a row was refused at ingestion: a stable code.

    Of the last four the first two are always warnings; the others, and LINK_SECRET of the activity, are so where the
    policy does not refuse.
    """

    MISSING_VALUE = "missing_value"
    SOURCE_ID_FORM = "source_id_form"
    LEARNER_ID_FORM = "learner_id_form"
    EMAIL_FORM = "email_form"
    LEVEL_UNKNOWN = "level_unknown"
    SCORE_FORM = "score_form"
    LEVEL_AND_SCORE = "level_and_score"
    DATE_FORM = "date_form"
    DATE_IN_FUTURE = "date_in_future"
    DATE_TOO_EARLY = "date_too_early"
    ACHIEVEMENT_FORM = "achievement_form"
    CLASS_FORM = "class_form"
    TERM_FORM = "term_form"
    LINK_FORM = "link_form"
    LINK_SECRET = "link_secret"  # noqa: S105  # a code
    NAME_LINK = "name_link"
    TOO_LONG = "too_long"
    TEXT_FORM = "text_form"
    NOT_JSON = "not_json"
    DUPLICATE_FIELD = "duplicate_field"
    NUMBER_FORM = "number_form"
    NOT_UTF8 = "not_utf8"
    COLUMNS_WRONG = "columns_wrong"
    TOO_MANY_FIELDS = "too_many_fields"
    CELL_FORM = "cell_form"
    ROW_HIDDEN = "row_hidden"
    SHEETS_NOT_READ = "sheets_not_read"
    EMAIL_IN_TEXT = ContactDetail.EMAIL.value
    TELEPHONE_IN_TEXT = ContactDetail.TELEPHONE.value


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row cannot be taken, or what warns of it. `message` is for people and never repeats what the row says.

    Attributes:
        also: what else is wrong with the row, in other columns.
        sent: the row as it came, by column, where it could not be read as fields; see `failed_columns.TEXT`.
    """

    reason: Reason
    column: str | None
    message: str
    also: tuple["Refusal", ...] = ()
    sent: Mapping[str, str] | None = None


def contact_detail_refusal(column: str, found: ContactDetail) -> Refusal:
    """Return what is said of a public text, or of a name, which is mailed, that holds this."""
    goes = "goes out by mail" if column == "learner_name" else "can stand on an open page, signed"
    message = f"The column {column} {goes}; it holds what looks like {found.said}."
    return Refusal(Reason(found.value), column, message)


class RefusedError(Exception):
    """Carries a refusal out of the checks of single fields."""

    def __init__(self, reason: Reason, column: str, message: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(reason, column, message)

    @classmethod
    def of(cls, refusal: Refusal) -> "RefusedError":
        """Return an error that carries this refusal."""
        return cls(refusal.reason, refusal.column or "", refusal.message)
