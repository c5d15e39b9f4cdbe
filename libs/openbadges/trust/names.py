"""Names that look alike: the skeleton of Unicode Technical Standard 39, section 4, and how names are shown."""

import re
import unicodedata
from bisect import insort
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html import unescape
from itertools import chain, islice
from string import ascii_lowercase
from typing import Final

from confusable_homoglyphs.confusables import confusables_data

from libs.openbadges.trust.sounds import sound, sounding, sounding_runs
from libs.openbadges.trust.spellings import as_one, as_one_registered, near_registered, near_runs

LONGEST_NAME: Final = 200
"""Characters of a name that are compared and shown."""

_IGNORED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""General categories without a shape of their own: controls, format characters (bidirectional, zero-width), halves."""

_DEFAULT_IGNORABLE: Final = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
)
"""Characters of other categories that show nothing (UCD, Default_Ignorable_Code_Point), and empty braille."""


def _prototypes() -> dict[str, str]:
    """Read from the library's data, which pairs what looks alike, one representative for each character.

    Everything that looks like an ASCII letter or digit is represented by that; the pairs that remain, by the smaller.
    """
    found: dict[str, str] = {}
    for key, alike in confusables_data.items():
        # What is written from right to left stands between marks of direction there.
        character = key.strip("\u200e")
        texts = [one["c"].strip("\u200e") for one in alike]
        plain = [text for text in texts if text.isascii()]
        if len(character) == 1 and not character.isascii():
            found[character] = min(plain or [*texts, character], key=lambda text: (len(text), text))
    return found


def _enclosed() -> dict[str, str]:
    """Return letters and digits in circles and squares, white on black ones too, and the letters of flags.

    Most of them have no compatibility form (UCD); their names say what is in them.
    """
    found: dict[str, str] = {}
    for character in map(chr, (*range(0x2460, 0x2500), *range(0x2776, 0x2794), *range(0x1F100, 0x1F200))):
        name = unicodedata.name(character, "")
        numeric = unicodedata.numeric(character, None)
        if numeric is not None:
            found[character] = f"{numeric:g}"
        elif letters := _ENCLOSED_NAME.search(name):
            found[character] = letters[1].lower()
    return found


_WITH_MORE: Final = re.compile("((?:LATIN|GREEK|CYRILLIC) (?:SMALL|CAPITAL) LETTER .+?) WITH ")
_OTHER_FORM: Final = re.compile(
    "LATIN (?:SMALL|CAPITAL) LETTER (?:(?:AFRICAN|ANGLICANA|BARRED|BLACKLETTER|BROKEN|CLOSED|CROSSED|INSULAR|INVERTED"
    "|LONG|NARROW|OPEN|REVERSED|SCRIPT|SIDEWAYS|SIGMOID|SMALL CAPITAL|STIRRUP|STRETCHED|TURNED|VISIGOTHIC) )+([A-Z])"
)
_ENCLOSED_NAME: Final = re.compile(r"(?:LETTER |(?:SQUARED|INDICATOR SYMBOL LETTER) )([A-Z]{1,4})$")
_SMALL_CAPITALS: Final = dict(
    zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", (each for each in ascii_lowercase if each not in "qx"), strict=True)
)
# Signs of currencies that are a letter with a stroke (UTS 39 has the stroke as a mark), two letters in circles, and the
# sign of a section.
_CURRENCIES: Final = dict(
    zip(
        "\u00a2\u20ac\u20b5\u0e3f\u20bf\u20a9\u20a6\u20b1\u20ae\u20a1\u20ab\u00a5\u20ad\u20b3\u20a3\u00a3\u20a4\u00a9\u00ae\u00a7",
        "cccbbwnptcdykafllcrs",
        strict=True,
    )
)
# Letters of other alphabets that are read as Latin ones though they have another shape: turned, barred, without a bar.
_READ_AS: Final = dict(
    zip(
        "\u0418\u0438\u0419\u0439\u1d0e\u0376\u0377\u042f\u044f\u1d19\u0428\u0448\u0429\u0449\u0426\u0446\u0414\u0434\u041f\u043f\u0413\u0433"
        "\u042d\u044d\u0404\u0454\u0416\u0436\u042a\u044a\u00df\u1e9e\u0258\u01dd\u0259\u0254\u2184\u1455\u1450\ua4db\uab8e\u13be\uab80"
        "\u041a\u043a\u0138\u039a\u03ba\u03f0\u0422\u0442\u03a4\u03c4\u041c\u043c\u039c\u041b\u043b\u0417\u0437\u042c\u044c\u03b5\u03b7"
        "\u03b8\u03c9\u03c6\u03bc\u00b5\u03c0\u03b4\u03be\u03b6\u00de\u00fe\u00d0\u00f0\u014a\u014b\u0245\u028c\u01c3",
        "nnnnnnnrrrwwwwuuaannrreeeexxbbbbeeeccccdoookkkkkkttttmmmnnssbbenowouundezppddnnaai",
        strict=True,
    )
)
# Capitals whose small letters look like others, so that only a name with Latin letters means them so.
_GREEK: Final = str.maketrans("\u03a3\u039b\u039e\u0394\u03b2\u03d0", "eaeabb")
_PROTOTYPES: Final = {**_prototypes(), **_SMALL_CAPITALS, **_CURRENCIES, **_enclosed(), **_READ_AS}
_LETTERLIKE: Final = {
    ord(each): shown for each, shown in _PROTOTYPES.items() if shown.isalnum() and not re.fullmatch(r"\w", each)
}
"""Signs that look like a letter or digit and are none to programs: within a word they do not end it."""
_LATIN: Final = re.compile("[A-Za-z]")
_NETWORK_ADDRESS: Final = re.compile(
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?|\[?[0-9a-f:]*::[0-9a-f:]*(?:\]:[0-9]+)?", re.IGNORECASE
)
# 'Mary's', and 'Dep't' and 'Gov't', which are short for what begins so.
_POSSESSIVE: Final = re.compile("(?<=\\w)['\u2019\u02bc\u2018`\u00b4\uff07][st]\\b", re.IGNORECASE)
# Between two letters an exclamation mark, upside down too, is read as i; at the end of a word it is what it is.
_MARKS: Final = "!\u00a1\uff01\ufe57"
_MARK_AS_I: Final = re.compile(rf"[{_MARKS}](?<=[^\W_].)(?=[^\W_])")
# 'St' is a saint or a street elsewhere.
_STATE: Final = re.compile(r"\bst\b\.?(?=\s+(?:dep|gov|edu))", re.IGNORECASE)
# 'BanksiaCollegeOffice' is three words, and 'McDonald' is one.
_CAPITAL_WITHIN: Final = re.compile("(?<=[^\\W\\d_A-Z]{2})(?=[A-Z\u0391-\u03a9\u0410-\u042f])")
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")
_SIGN: Final = f"[{re.escape(''.join(map(chr, _LETTERLIKE)))}]"
_IN_WORD: Final = re.compile(rf"(?<=\w){_SIGN}|{_SIGN}(?=\w)")
# What is read as a letter, or within one word, may be meant to part two ('\u00a9River School', 'College!Office').
_BREAKS: Final = dict.fromkeys((*_LETTERLIKE, *map(ord, _MARKS)), " ")
_PRODUCT: Final = "Bowerbird"
_NOBODYS: Final = (
    *("registered here", "unknown party", "nobody who", "somebody who", "did:web", "did:key"),
    *("every check", "check passes", "registered issuer", "verified issuer", "trusted issuer", "badge is real"),
    *("signed by", "issued by", "official verifier"),
)
_NO_NAMES: Final = ("verified", "trusted", "official", "registered", "genuine", "valid", "localhost", "every check")
_ABBREVIATED: Final = (
    *(("acad", "academy"), ("center", "centre"), ("col", "college"), ("coll", "college"), ("ctr", "centre")),
    *(("dep", "department"), ("dept", "department"), ("ed", "education"), ("edu", "education"), ("educ", "education")),
    *(("gov", "government"), ("govt", "government"), ("gram", "grammar"), ("inst", "institute"), ("prim", "primary")),
    *(("sch", "school"), ("schl", "school"), ("sec", "secondary"), ("uni", "university"), ("univ", "university")),
)
_SAINT: Final = (("st", "saint"),)
# What initials are short for differs from state to state, so one of them is no other's.
_INITIALS: Final = (
    *(("ps", "primary school"), ("ps", "public school"), ("hs", "high school")),
    *(("sc", "secondary college"), ("sc", "senior college"), ("ss", "secondary school"), ("ss", "state school")),
)
# What a government calls one of its parts differs from state to state.
_SAME_OFFICE: Final = {"ministry": "department", "bureau": "department"}
_KINDS: Final = (
    *("academy", "association", "campus", "catholic", "centre", "christian", "college", "community", "council"),
    *("department", "education", "grammar", "institute", "primary", "public", "school", "secondary", "university"),
)
_PART_OF: Final = "part of "
_MOST_WORDS, _LONGEST_RUN, _SHORTEST_RUN, _MOST_FORMS = 40, 10, 8, 6
_ALIKE_IN_ASCII: Final = str.maketrans("01i|5$8@3479q", "olllssbaeatgg")
"""Within ASCII, after case is folded: what is read as the same letter in most typefaces."""
_SHAPELESS: Final = dict.fromkeys([*range(33), 127])
_NO_LETTERS: Final = re.compile("[^a-z0-9]")


@lru_cache(maxsize=4096)
def _has_shape(character: str) -> bool:
    category = unicodedata.category(character)
    return category not in _IGNORED and ord(character) not in _DEFAULT_IGNORABLE


@lru_cache(maxsize=4096)
def _looks_like(character: str) -> str:
    # A prototype may have marks of its own: that of a letter with a stroke is the letter and a stroke.
    looks = unicodedata.normalize("NFD", _PROTOTYPES.get(character, character))
    plain = (_plain(one) for one in looks if _has_shape(one) and unicodedata.category(one) != "Mn")
    return "".join(_PROTOTYPES.get(one, one) for one in plain)


def _plain(character: str) -> str:
    """Return the letter that is turned, open or the like, or has a stroke, hook or tail, as its name says.

    Unicode makes no mark of any of these.
    """
    name = "" if character.isascii() else unicodedata.name(character, "")
    with_more = _WITH_MORE.match(name)
    base = with_more[1] if with_more else name
    if other := _OTHER_FORM.fullmatch(base):
        return other[1].lower()
    try:
        return unicodedata.lookup(base) if with_more else character
    except KeyError:
        return character


def _look(text: str) -> str:
    return "".join(map(_looks_like, text))


def _one_shape(text: str) -> str:
    return text.replace("rn", "m").replace("vv", "w")


@lru_cache(maxsize=2048)
def skeleton(name: str) -> str:
    """Return what two names that look alike have in common; no text for people.

    Compatibility forms, case, accents, spaces, punctuation, invisible characters and the order of reading make no
    difference, and each character stands for what it looks like.
    """
    name = _MARK_AS_I.sub("i", name)
    if name.isascii():
        seen = name.translate(_SHAPELESS)[:LONGEST_NAME].lower().translate(_ALIKE_IN_ASCII)
        return _one_shape(_NO_LETTERS.sub("", seen))
    # Prototypes go before compatibility: a lunate sigma looks like c, and is compatible with another sigma.
    seen = "".join(islice(filter(_has_shape, "".join(name.split())), LONGEST_NAME))
    if _LATIN.search(seen):
        seen = seen.translate(_GREEK)
    shapes = _look(unicodedata.normalize("NFD", seen))
    folded = _look(unicodedata.normalize("NFKD", shapes)).casefold()
    # Once more: what case folding makes (a capital of another alphabet in small) may look like yet another letter.
    again = _look(folded).casefold().translate(_ALIKE_IN_ASCII)
    return _one_shape("".join(one for one in again if one.isalnum()))


_PASSED_OVER: Final = frozenset(map(skeleton, ("the", "of", "for", "at", "in")))
_KNOWN_WORDS: Final = {
    sound(skeleton(one)): skeleton(other)
    for one, other in (*_ABBREVIATED, *_SAME_OFFICE.items(), *zip(_KINDS, _KINDS, strict=True))
}
_INITIALS_SEEN: Final = frozenset(short for short, _ in _INITIALS)
_LONG_WORD: Final = 5
_KINDS_SEEN: Final = tuple(map(skeleton, _KINDS))
_LONGEST_KIND: Final = max(map(len, _KINDS_SEEN))


def turned_skeleton(name: str) -> str:
    """Return one text for all skeletons that differ in where they begin, such as 'collegebanksia', 'banksiacollege'."""
    seen = skeleton(name)
    return min((seen[at:] + seen[:at] for at in range(len(seen))), default="")


@lru_cache(maxsize=512)
def whole_likenesses(name: str) -> frozenset[str]:
    """Return what a name has in common with every other that could be taken for it, whole for whole.

    That is its skeleton, wherever it begins, and its words in any order ('College of Banksia'). The small words between
    them make no difference.
    """
    return frozenset({skeleton(name), turned_skeleton(name), *_in_any_order(_words(name))})


@lru_cache(maxsize=512)
def likenesses(name: str) -> frozenset[str]:
    """Return what is kept of a registered name.

    That is its own likenesses, that each run of its words is a part of it, and how else it may be spelt, or written as
    one word; and the same of what it is written as where words are short for others.
    """
    words = _words(name)
    found = whole_likenesses(name).union(_kept(words, skeleton(name)))
    for form in islice(_other_forms(words), _MOST_FORMS):
        joined = _one_shape("".join(form))
        found = found.union([joined], _in_any_order(form), _kept(form, joined))
    return found


def _kept(words: Sequence[str], written: str) -> Iterator[str]:
    yield from (_PART_OF + ordered for _, ordered in _runs(words))
    yield from chain(near_registered(words), sounding(words), as_one_registered(words, written))


def _other_forms(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield how else words may be written: a saint in short or in full, initials, and what they are short for."""
    spelt = [words, *_rewritten(words, _SAINT)]
    yield from spelt[1:]
    for each in spelt:
        yield from _rewritten(each, _INITIALS)


def _rewritten(words: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Iterator[Sequence[str]]:
    """Yield the words with one of each pair in place of the other, either way."""
    line = f" {' '.join(words)} "
    for pair in pairs:
        short, full = (" ".join(_one_word(skeleton(word)) for word in each.split()) for each in pair)
        for one, other in ((short, full), (full, short)):
            if (written := line.replace(f" {one} ", f" {other} ")) != line:
                yield written.split()


@lru_cache(maxsize=16)
def sought_likenesses(name: str) -> frozenset[str]:
    """Return what to look for among the likenesses of registered names, to find those that a name pretends to be.

    It is like one as a whole, or holds one in a run of two to ten words of its first forty ('Banksia College, the real
    one') or in one of these words ('BanksiaCollege Office'), or is itself such a part of one ('Department of
    Education', of that of a state), or one or such a run of it is spelt nearly so ('Banskia Collage') or sounds so
    ('Banxia Koledge').
    """
    words = _words(name)
    parts = (_PART_OF + each for each in _in_any_order(words))
    runs = [*_runs(words)]
    if (apart := _CAPITAL_WITHIN.sub(" ", name.translate(_BREAKS))) != name:
        runs += _runs(_words(apart))
    # A registered name of one word, such as a brand: any other may be that of a place, and stand in many names.
    brands = (each for each in words if each.endswith(_KINDS_SEEN) and len(each) > _LONGEST_KIND)
    return whole_likenesses(name).union(*runs, parts, near_runs(words), sounding_runs(words), as_one(words), brands)


def names_installation(name: str, host: str) -> bool:
    """Return whether a name reads as this product, or as the host that the installation stands at."""
    seen, hosts = skeleton(name), skeleton(host)
    return skeleton(_PRODUCT) in seen or (len(hosts) >= _SHORTEST_RUN and hosts in seen)


def names_no_school(name: str, host: str) -> bool:
    """Return whether a name reads as the installation, a word of a verdict, an id, or is too short to be told."""
    seen = skeleton(name)
    if len(seen) < 2 or seen in map(skeleton, _NO_NAMES) or _NETWORK_ADDRESS.fullmatch(name.strip()):
        return True
    return names_installation(name, host) or any(skeleton(words) in seen for words in _NOBODYS)


def shown_name(name: str) -> str:
    """Return a stranger's name on one line, without what is invisible or changes the order of reading."""
    line = "".join(" " if one in "\t\r\n\u2028\u2029" else one for one in name if one.isspace() or _has_shape(one))
    shown = " ".join(line.split())
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:LONGEST_NAME]}…"


@lru_cache(maxsize=64)
def _words(name: str) -> Sequence[str]:
    """Return the skeletons of the words of a name, but for those that a reader passes over."""
    line = _STATE.sub("state", _POSSESSIVE.sub("", _MARK_AS_I.sub("i", shown_name(unescape(name)))))
    if not line.isascii():
        line = _IN_WORD.sub(lambda sign: _LETTERLIKE[ord(sign[0])], line)
    found: list[str] = []
    for word in map(skeleton, _BETWEEN_WORDS.split(line)):
        if len(word) == 1 and found and found[-1] + word in _INITIALS_SEEN:
            found[-1] += word
        elif word and (one := _one_word(word)) not in _PASSED_OVER:
            found.append(one)
    return found[:_MOST_WORDS]


def _one_word(word: str) -> str:
    """Return what a word has in common with its plural, and with what it is short for, sounds like or means."""
    one = word[:-1] if len(word) > _LONG_WORD and word.endswith("s") and not word.endswith("ss") else word
    return _KNOWN_WORDS.get(sound(one), one)


def _runs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each run of two to ten words, joined and in order; fewer than eight letters are too many names' own."""
    for start, first in enumerate(words):
        joined, ordered = first, [first]
        for word in words[start + 1 : start + _LONGEST_RUN]:
            joined += word
            insort(ordered, word)
            if len(joined) >= _SHORTEST_RUN:
                yield _one_shape(joined), " ".join(ordered)


def _in_any_order(words: Sequence[str]) -> Iterator[str]:
    if len(words) >= 2 and sum(map(len, words)) >= _SHORTEST_RUN:
        yield " ".join(sorted(words))
