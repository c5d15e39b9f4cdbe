"""What to do about each reason for which a row is refused, for people. Pure."""

from collections.abc import Mapping
from typing import Final

from services.evidence.sources.refusals import Reason

ADVICE: Final[Mapping[Reason, str]] = {
    Reason.MISSING_VALUE: "Fill the column in; every row needs source_id, learner_id, achievement, date, "
    "activity, and a level or a score.",
    Reason.SOURCE_ID_FORM: "Use your system's id of the piece of evidence: no spaces, no @.",
    Reason.LEARNER_ID_FORM: "Use the student number or another id: no name, no e-mail address.",
    Reason.EMAIL_FORM: "Correct the address, or leave it empty; then no mail is sent.",
    Reason.LEVEL_UNKNOWN: "Write one of the five levels of the SOLO taxonomy.",
    Reason.SCORE_FORM: "Write a number from 0 to 100, with a decimal point if any.",
    Reason.LEVEL_AND_SCORE: "Empty one of the two columns.",
    Reason.DATE_FORM: "Write the date as 2026-03-09. A spreadsheet keeps that form in a column of text.",
    Reason.DATE_IN_FUTURE: "Correct the date: evidence is of something that has happened.",
    Reason.DATE_TOO_EARLY: "Correct the date, mostly its year: nothing before 1950 is taken.",
    Reason.ACHIEVEMENT_FORM: "Write the achievement's id, such as resilience, not its title.",
    Reason.CLASS_FORM: "Write the short name of the class, such as 7B.",
    Reason.TERM_FORM: "Write the short name of the term, such as 2026-T3.",
    Reason.LINK_FORM: "Write the whole link, beginning with https://, without user name or password.",
    Reason.LINK_SECRET: "Take a link without a token or password, which only those open who may see the work; or leave "
    "it out, in the column link and in the activity. Everybody can read it on the badge's page.",
    Reason.NAME_LINK: "Write the name alone; where a dot or a slash in it is read as a link, put a space behind it.",
    Reason.TOO_LONG: "Shorten the text; the limits are in the table of columns.",
    Reason.TEXT_FORM: "Type the text again without what the row names: a character that no text may hold, a picture, or"
    " markup that runs or hides something.",
    Reason.NOT_JSON: "Each line of an NDJSON file is one JSON object of texts and numbers.",
    Reason.DUPLICATE_FIELD: "Give each field once in an object.",
    Reason.NUMBER_FORM: "Write an id as text, in quotes.",
    Reason.NOT_UTF8: "Save the file as 'CSV UTF-8'.",
    Reason.COLUMNS_WRONG: "The row has more or fewer fields than the first line: look for a stray comma or quote.",
    Reason.CELL_FORM: "Write the value itself into the cell, in a column of text: no error, no formula without its "
    "result, no merged cell, and no date but in the column date.",
    Reason.ROW_HIDDEN: "Look whether the row was meant: it is hidden in the sheet, and was taken.",
    Reason.SHEETS_NOT_READ: "Nothing, if the other sheets hold no evidence; else send each as a file of its own.",
    Reason.EMAIL_IN_TEXT: "Take the address out of the activity or the link: everybody can read it on the open page.",
    Reason.TELEPHONE_IN_TEXT: "Take the number out of the activity, which everybody can read on the open page, or out"
    " of the learner's name, which is mailed.",
    Reason.TOO_MANY_FIELDS: "Leave out the fields that are not in the table of columns.",
}
