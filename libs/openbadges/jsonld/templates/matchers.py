"""Matchers: does a document have a template, and with which values? By its tokens, or at one go by its whole text."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import eq, itemgetter
from typing import Any, Final

from libs.openbadges.jsonld.templates.tokens import Tokens, restore

Pick = Callable[[Sequence[bytes]], tuple[bytes, ...]]
Values = tuple[bytes, ...]

_REST: Final = rb"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]"
"""Characters of an IRI that no step of the way to N-Quads changes or ends at (RFC 3986)."""

_ALLOWED: Final = bytes(character for character in range(256) if re.fullmatch(_REST, bytes([character])))

ABSOLUTE: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*:(?://)?)(%b+)\Z" % _REST)

_LITERAL: Final = rb'(?:[^"\\\x00-\x1f\x7f]++|\\["\\nrt])++'
"""A text that is not empty and that JSON, as orjson writes it, and N-Quads escape alike."""


def picker(indexes: Sequence[int]) -> Pick:
    """Return a function that picks these items as a tuple."""
    if not indexes:
        return lambda _: ()
    if len(indexes) == 1:
        only = indexes[0]
        return lambda items: (items[only],)
    getter: Any = itemgetter(*indexes)
    return getter  # type: ignore[no-any-return]  # itemgetter's type does not say that it answers a tuple


@dataclass(frozen=True, slots=True)
class Form:
    """What the value at a place must be like to be a mere value there.

    Attributes:
        index: which of the document's strings it is.
        scheme: of an identifier, its scheme, with // where it has it; None for a literal.
    """

    index: int
    scheme: bytes | None

    @property
    def pattern(self) -> bytes:
        """The form as a regular expression.

        Of an identifier: its own scheme, then nothing that could end or change it. Where the scheme is not followed by
        //, neither may a value be: that would read a prefix as a scheme.
        """
        if self.scheme is None:
            return _LITERAL
        return re.escape(self.scheme) + (b"" if self.scheme.endswith(b"//") else b"(?!//)") + _REST + b"++"


@dataclass(frozen=True, slots=True)
class TokenMatcher:
    """Knows documents that were tokenized, for a table that finds them by their skeleton.

    Attributes:
        constants: the keys and texts that mean something: terms, types, contexts, whatever is not a mere value.
        indexes: where the values stand among a document's strings.
        constants_of, values_of: pick those and the values out of a document's strings.
        identifiers_of: picks the values that are IRIs.
        schemes: those of these, with // where they have it.
        others: what they must not begin with: where a scheme is not followed by //, with these it would be another.
    """

    constants: tuple[bytes, ...]
    indexes: tuple[int, ...]
    constants_of: Pick
    values_of: Pick
    identifiers_of: Pick
    schemes: tuple[bytes, ...]
    others: tuple[bytes, ...]

    @classmethod
    def of(cls, tokens: Tokens, forms: Sequence[Form]) -> "TokenMatcher":
        """Make the matcher of a document whose values have these forms; all else of it is constant."""
        indexes = tuple(form.index for form in forms)
        constants_of = picker(sorted(set(range(len(tokens.strings))) - set(indexes)))
        schemes = {number: form.scheme for number, form in enumerate(forms) if form.scheme is not None}
        others = tuple(b"\0" if scheme.endswith(b"//") else scheme + b"//" for scheme in schemes.values())
        return cls(
            constants_of(tokens.strings),
            indexes,
            constants_of,
            picker(indexes),
            picker(list(schemes)),
            tuple(schemes.values()),
            others,
        )

    def values(self, tokens: Tokens) -> Values | None:
        """Return the values; None if the document differs in more, or one is empty or an identifier of another form."""
        if self.constants_of(tokens.strings) != self.constants:
            return None
        values = self.values_of(tokens.strings)
        if not all(values) or not self._are_identifiers(self.identifiers_of(values)):
            return None
        return restore(values) if tokens.escaped and values else values

    def _are_identifiers(self, values: Values) -> bool:
        """Return whether these have the form that `Form.pattern` describes. A pattern of many would be kept by `re`."""
        return (
            all(map(bytes.startswith, values, self.schemes))
            and not any(map(bytes.startswith, values, self.others))
            and not any(map(eq, values, self.schemes))
            and not b"".join(values).translate(None, _ALLOWED)
        )

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return sum(map(len, self.constants)) + 64 * (len(self.constants) + len(self.indexes))


@dataclass(frozen=True, slots=True)
class TextMatcher:
    """Knows documents by their whole text, for where few places vary: values put into it must give it back.

    A text that it knows is JSON as orjson writes it, wherever it came from: what is constant was written so, and a
    value holds what such a text may hold and no more.

    Attributes:
        template: the text with a %b for each value.
        values_of: passes over as many bytes as are constant before, between and behind the values, whatever they are,
            and takes values that have their form.
        end: what stands behind the last value.
    """

    template: bytes
    values_of: re.Pattern[bytes]
    end: bytes

    @classmethod
    def of(cls, tokens: Tokens, forms: Sequence[Form]) -> "TextMatcher":
        """Make the matcher of a document whose values have these forms; all else of it is constant."""
        by_index = {form.index: form for form in forms}
        constant, *rest = tokens.skeleton.split(b'"')
        template = pattern = b""
        for index, (text, after) in enumerate(zip(restore(tokens.strings), rest, strict=True)):
            constant += b'"'
            if index in by_index:
                template += constant.replace(b"%", b"%%") + b"%b"
                pattern += b".{%d}(%b)" % (len(constant), by_index[index].pattern)
                constant = b'"' + after
            else:
                constant += text + b'"' + after
        template += constant.replace(b"%", b"%%")
        return cls(template, re.compile(pattern + b".{%d}" % len(constant), re.DOTALL), constant)

    def values(self, text: bytes) -> Values | None:
        """Return the values; None if the text differs in more, or in values of another form."""
        if not text.endswith(self.end):
            return None
        match = self.values_of.fullmatch(text)
        if match is None:
            return None
        values = match.groups()
        # With a space between them, so that no character is put together of halves in two values.
        if self.template % values != text or not (text.isascii() or _is_utf8(b" ".join(values))):
            return None
        return values

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return len(self.template) + len(self.end) + 64 * self.values_of.groups


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
