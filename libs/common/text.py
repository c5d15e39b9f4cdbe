"""One profile of text, for names and for texts that are signed or shown: cleaned in stated ways, or refused. Pure.

It follows PRECIS (RFC 8264, FreeformClass; RFC 8266 for names) and UTS 39, section 5.4, and departs from them where
people write so: emoji sequences, flags and variants of Han characters stay.

Cleaned, for they say nothing of their own:
- the text is written in NFC, without the white space around it; every kind of space is a plain one;
- in a line, tabs and line ends are spaces, and several spaces are one; in a text of several lines, every kind of line
  end is a line feed;
- zero-width spaces, word joiners, byte order marks, soft hyphens, marks of direction and whatever else is invisible
  are taken out;
- joiners and variation selectors stay where they change what is seen (Persian and Indic scripts by RFC 5892, appendix
  A; Bengali and Kannada conjuncts; emoji by UTS 51; Han variants), and are taken out elsewhere.

Refused, with the code point and its place:
- control characters other than tabs and line ends; line and paragraph separators count as line ends;
- characters that turn the direction of others around (embeddings, overrides, isolates);
- code points for private use, that are no characters, that are not assigned (other than those kept for emoji), halves
  of surrogate pairs, and U+FFFD, which stands for what could not be read;
- more than four marks upon one letter.
"""

import re
import unicodedata
from typing import Final

import idna

from libs.common.links import holds_link

MOST_MARKS: Final = 4
"""Marks in a row, after NFC (UTS 39, section 5.4)."""

REFUSED: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u206f\ue000-\uf8ff\ufdd0-\ufdef\ufff9-\ufffb\ufffd-\uffff"  # noqa: E501  # one class of a regular expression
"""What is refused below U+10000 whatever stands beside it, as the inside of a regular expression's class."""

_REFUSED: Final = re.compile(f"[{REFUSED}]")
_LINE_ENDS: Final = re.compile("\r\n|[\r\x85\u2028\u2029]")
# Invisible, and of no category that says so.
_NOTHING: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]")
_UNREADABLE: Final = "\ufffd"
_BRAILLE_SPACE: Final = "\u2800"
# Visible, though their category is that of invisible characters: signs above Arabic, Syriac and Kaithi numbers.
_SIGNS: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_NON_JOINER, _JOINER, _EMOJI_STYLE = "\u200c", "\u200d", "\ufe0f"
# Those whose place decides: joiners, variation selectors (Mongolian ones too), tags.
_BY_PLACE: Final = re.compile("[\u200c\u200d\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0000-\U000e0fff]")
# The flags of England, Scotland and Wales: all that is recommended for interchange of sequences of tags (UTS 51).
_FLAG: Final = "\U0001f3f4"
_FLAG_TAGS: Final = re.compile(
    "\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)"
    "\U000e007f"
)
# Far enough for the letters on both sides of a joiner, with their marks.
_AROUND: Final = 8
_VIRAMA: Final = 9
_PICTOGRAPHS: Final = frozenset("\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299")
_SKIN_TONES: Final = ("\U0001f3fb", "\U0001f3ff")


class TextRefusedError(ValueError):
    """The text holds what it may not hold. The message names a code point and its place, or a link; no text."""


UNSEEN: Final = frozenset(
    map(
        chr,
        [
            *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x200B, 0x200E, 0x200F),
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2070),
            *(0x3164, 0xFEFF, 0xFFA0, 0xFFF9, 0xFFFA, 0xFFFB),
            *range(0xE0000, 0xE0080),
        ],
    )
)
"""What shows nothing or turns the text around it, for those who show what strangers wrote. Joiners are not among it:
Persian and Sinhala words are spelt with them, and pictographs put together."""


def clean_line(text: str) -> str:
    """Return a name, or another text of one line, as it may be kept, signed and shown; empty where nothing is left.

    Raises:
        TextRefusedError: it holds what the profile refuses.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split()) if "  " in text else text.strip()
    return " ".join(_cleaned(text).split())


def clean_name(text: str) -> str:
    """Return a name as `clean_line` does.

    Raises:
        TextRefusedError: it holds what the profile refuses, or a link.
    """
    line = clean_line(text)
    if holds_link(line):
        raise TextRefusedError("holds a link or an e-mail address, which no name may hold")
    return line


def clean_text(text: str) -> str:
    """Return a text of several lines as it may be kept, signed and shown; empty where nothing is left.

    Raises:
        TextRefusedError: it holds what the profile refuses.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    lines = _cleaned(_LINE_ENDS.sub("\n", text)).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def _cleaned(text: str) -> str:
    if not text.isprintable() or _UNREADABLE in text:
        _refuse_characters(text)
        text = "".join(map(_seen, text))
    text = _NOTHING.sub("", text.replace(_BRAILLE_SPACE, " "))
    if _BY_PLACE.search(text):
        text = _without_idle(text)
    text = unicodedata.normalize("NFC", text)
    _refuse_floods(text)
    return text


def _seen(each: str) -> str:
    """Return the character as it is seen: nothing, a space, or itself; those whose place decides are kept."""
    if each == "\n":
        return each
    if each.isspace():
        return " "
    invisible = unicodedata.category(each) == "Cf" and each not in _SIGNS and not _BY_PLACE.match(each)
    return "" if invisible else each


def _refuse_characters(text: str) -> None:
    for place, each in enumerate(text, 1):
        if each < "\x7f" and each.isprintable():
            continue
        if _REFUSED.match(each) or not _is_character(each):
            raise TextRefusedError(f"holds {_named(each)} at character {place}, which no text may hold")


def _is_character(each: str) -> bool:
    category = unicodedata.category(each)
    if category != "Cn":
        return category not in {"Co", "Cs"}
    # Kept for pictographs of later versions (UTS 51, emoji-data.txt): telephones know them before we do.
    return "\U0001f000" <= each <= "\U0001faff" or "\U000e0000" <= each <= "\U000e0fff"


def _refuse_floods(text: str) -> None:
    marks = 0
    for place, each in enumerate(text, 1):
        marks = marks + 1 if each > "\u02ff" and unicodedata.category(each) in {"Mn", "Me"} else 0
        if marks > MOST_MARKS:
            raise TextRefusedError(f"has more than {MOST_MARKS} marks upon one letter, at character {place}")


def _without_idle(text: str) -> str:
    """Return the text without the joiners, selectors and tags that change nothing where they stand."""
    kept: list[str] = []
    place = 0
    while place < len(text):
        each = text[place]
        before = kept[-1] if kept else ""
        if each == _FLAG and (tags := _FLAG_TAGS.match(text, place + 1)):
            kept += [each, *tags.group()]
            place = tags.end()
            continue
        if not _BY_PLACE.match(each) or _belongs(
            each, before, "".join(kept[-_AROUND:]), text[place + 1 : place + 1 + _AROUND]
        ):
            kept.append(each)
        place += 1
    return "".join(kept)


def _belongs(each: str, before: str, left: str, right: str) -> bool:
    """Return whether this joiner or variation selector changes what is seen, between these neighbours."""
    if each == _JOINER and _is_emoji_end(left) and right and _is_pictograph(right[0]):
        return True
    if each in {_JOINER, _NON_JOINER}:
        return _joins(each, left, right)
    if not before:
        return False
    if "\ufe0e" <= each <= _EMOJI_STYLE:
        return _is_pictograph(before) or before in "#*0123456789"
    if "\u180b" <= each <= "\u180f":
        return "\u1820" <= before <= "\u18aa"
    return ("\ufe00" <= each <= "\ufe02" or "\U000e0100" <= each <= "\U000e01ef") and _is_han(before)


def _joins(each: str, left: str, right: str) -> bool:
    """Return whether a joiner has its place by RFC 5892, appendices A.1 and A.2, or makes a conjunct of RA."""
    if not left:
        return False
    if each == _JOINER and right and unicodedata.combining(right[0]) == _VIRAMA:
        return left[-1].isalpha()
    try:
        return idna.valid_contextj(left + each + right, len(left))
    except ValueError:
        return False


def _is_emoji_end(left: str) -> bool:
    trimmed = left.removesuffix(_EMOJI_STYLE)
    if trimmed and _SKIN_TONES[0] <= trimmed[-1] <= _SKIN_TONES[1]:
        trimmed = trimmed[:-1]
    return bool(trimmed) and _is_pictograph(trimmed[-1])


def _is_pictograph(each: str) -> bool:
    return "\U0001f000" <= each <= "\U0001faff" or "\u2190" <= each <= "\u2bff" or each in _PICTOGRAPHS


def _is_han(each: str) -> bool:
    return "\u3400" <= each <= "\u9fff" or "\uf900" <= each <= "\ufaff" or "\U00020000" <= each <= "\U0003ffff"


def _named(each: str) -> str:
    name = unicodedata.name(each, "")
    return f"U+{ord(each):04X}" + (f" ({name})" if name else "")
