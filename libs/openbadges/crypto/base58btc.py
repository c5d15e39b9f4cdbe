"""Base58 in the Bitcoin alphabet, all digits at once: a long integer's multiplication works on many lanes of it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from libs.openbadges.model.errors import CredentialError

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_FOREIGN: Final = 0xFF
_TO_DIGITS: Final = bytes(
    ALPHABET.index(chr(character)) if chr(character) in ALPHABET else _FOREIGN for character in range(256)
)
_TO_CHARACTERS: Final = bytes.maketrans(bytes(range(58)), ALPHABET.encode())
_NARROWEST: Final = 128
"""Digits that are read at once at least; a signature has 88."""

_CHUNK: Final = 16
"""Digits that are split off at a time before they are taken apart together."""

_OF_CHUNK: Final = 58**_CHUNK


@dataclass(frozen=True, slots=True)
class _Halving:
    """One step of taking numbers apart, each of 2n digits in a lane of 32n bits, into two of n digits.

    x // 58^n is (x * reciprocal) >> shift, exactly, since the reciprocal, rounded up, is wrong by less than 58^n
    and x * 58^n < 2^shift. The product fits its lane: 58^2n and the reciprocal are below 2^(11.72 n) each.
    """

    reciprocal: int
    shift: int
    quotients: int
    apart: int

    @classmethod
    def of(cls, digits: int, width: int) -> "_Halving":
        power = 58**digits
        shift = (power**3).bit_length()
        lane = ((1 << power.bit_length()) - 1).to_bytes(4 * digits, "big")
        quotients = int.from_bytes(lane * (width // (2 * digits)), "big")
        # To add q * (2^16n - 58^n) puts the quotient q into the upper half and leaves the remainder in the lower.
        return cls(2**shift // power + 1, shift, quotients, (1 << 16 * digits) - power)


@lru_cache(maxsize=16)
def _halvings(chunks: int) -> tuple[_Halving, ...]:
    """The steps from so many numbers of 16 digits to their digits, each in a lane of 16 bits."""
    return tuple(_Halving.of(digits, _CHUNK * chunks) for digits in (8, 4, 2, 1))


@lru_cache(maxsize=8)
def _doublings(width: int) -> tuple[tuple[int, int, int], ...]:
    """The steps from digits, one in a byte, to their number: lower halves of lanes, lane's half in bits, power."""
    return tuple(
        (
            int.from_bytes((b"\0" * (1 << level) + b"\xff" * (1 << level)) * (width >> (level + 1)), "big"),
            8 << level,
            58 ** (1 << level),
        )
        for level in range(width.bit_length() - 1)
    )


def encode(raw: bytes) -> str:
    """Write bytes in base58; each leading zero byte is a leading 1."""
    number = int.from_bytes(raw, "big")
    lanes = chunks = 0
    while number:
        number, chunk = divmod(number, _OF_CHUNK)
        lanes |= chunk << (16 * _CHUNK * chunks)
        chunks += 1
    for step in _halvings(chunks):
        lanes += (((lanes * step.reciprocal) >> step.shift) & step.quotients) * step.apart
    digits = lanes.to_bytes(2 * _CHUNK * chunks, "big")[1::2].lstrip(b"\0")
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return (b"1" * zeros + digits.translate(_TO_CHARACTERS)).decode()


def decode(text: str) -> bytes:
    """Read base58.

    Raises:
        CredentialError: a character that is not in the alphabet.
    """
    digits = text.encode("ascii", "replace").translate(_TO_DIGITS)
    if _FOREIGN in digits:
        raise CredentialError("multibase_form", f"{text[digits.index(_FOREIGN)]!r} is no character of base58btc.")
    width = max(_NARROWEST, 1 << (len(digits) - 1).bit_length())
    number = int.from_bytes(digits, "big")
    for lower, half, power in _doublings(width):
        number = ((number >> half) & lower) * power + (number & lower)
    zeros = len(digits) - len(digits.lstrip(b"\0"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
