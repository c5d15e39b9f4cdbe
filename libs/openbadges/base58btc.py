"""Base58 in the Bitcoin alphabet, ten digits at a time: several times as fast as digit by digit."""

from typing import Final

from libs.openbadges.errors import CredentialError

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PAIRS: Final = [first + second for first in ALPHABET for second in ALPHABET]
_TO_DIGITS: Final = bytes.maketrans(ALPHABET.encode(), bytes(range(58)))
_CHUNK: Final = 58**10
_PAIR: Final = 58**2


def encode(raw: bytes) -> str:
    """Write bytes in base58; each leading zero byte is a leading 1."""
    number = int.from_bytes(raw, "big")
    chunks = []
    while number:
        number, chunk = divmod(number, _CHUNK)
        chunk, fifth = divmod(chunk, _PAIR)
        chunk, fourth = divmod(chunk, _PAIR)
        chunk, third = divmod(chunk, _PAIR)
        first, second = divmod(chunk, _PAIR)
        chunks.append(_PAIRS[first] + _PAIRS[second] + _PAIRS[third] + _PAIRS[fourth] + _PAIRS[fifth])
    chunks.reverse()
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + "".join(chunks).lstrip("1")


def decode(text: str) -> bytes:
    """Read base58.

    Raises:
        CredentialError: a character that is not in the alphabet.
    """
    if not text.isascii() or text.strip(ALPHABET) != "":
        _refuse_foreign(text)
    digits = text.encode().translate(_TO_DIGITS)
    number = 0
    start = len(digits) % 10
    for end in range(start, len(digits) + 1, 10):
        chunk = 0
        for digit in digits[max(end - 10, 0) : end]:
            chunk = chunk * 58 + digit
        number = number * _CHUNK + chunk
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _refuse_foreign(text: str) -> None:
    # strip() stops at the first foreign character from either end, so what is left begins with one.
    foreign = text.strip(ALPHABET)[:1]
    raise CredentialError("multibase_form", f"{foreign!r} is no character of base58btc.")
