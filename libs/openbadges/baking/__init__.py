"""Baking: a credential written into the picture of its badge, PNG or SVG, and read out of it, or of a PDF, again."""

from libs.openbadges.baking import pdf, png, svg
from libs.openbadges.baking.content import (
    CREDENTIAL_BYTES,
    PICTURE_BYTES,
    Baked,
    Container,
    Content,
    PictureFormat,
    read_content,
)
from libs.openbadges.model.errors import CredentialError, LimitError

__all__ = [
    "CREDENTIAL_BYTES",
    "PICTURE_BYTES",
    "Baked",
    "Container",
    "Content",
    "PictureFormat",
    "bake",
    "container_of",
    "picture_format",
    "unbake",
]


def picture_format(data: bytes) -> PictureFormat | None:
    """Return by its first bytes what a file claims to be: a PNG, an XML text as SVG is one, or None for neither."""
    if data.startswith(png.SIGNATURE):
        return "png"
    return "svg" if svg.is_xml(data) else None


def container_of(data: bytes) -> Container | None:
    """Return by its first bytes what a file claims to be that can hold a credential; None for anything else."""
    return picture_format(data) or ("pdf" if pdf.is_pdf(data) else None)


def bake(picture: bytes, credential: str) -> bytes:
    """Write a credential into a picture (Open Badges 3.0, section 5.3; for learner records CLR 2.0, document formats).

    One that is there already is replaced; everything else stays byte for byte. The credential is checked for being
    one JSON object or a compact JWS, not for being good: it may be anybody's.

    Args:
        picture: a PNG or SVG file of at most `PICTURE_BYTES`.
        credential: JSON text or a compact JWS of at most `CREDENTIAL_BYTES`.

    Raises:
        CredentialError: `picture_kind`, `png_damaged`, `png_crc`, `svg_damaged`, `svg_doctype`, `svg_encoding`,
            `svg_prefix`, `baked_form` or what `parsing.parse` finds wrong with the JSON.
        LimitError: too large, too many chunks or elements.
    """
    content = read_content(credential)
    return png.bake(picture, content) if _checked_format(picture) == "png" else svg.bake(picture, content)


def unbake(file: bytes) -> Baked:
    """Read the credential out of a picture or a PDF, as text; nothing is known yet about whether it is good.

    Raises:
        UndecidedError: `baked_none` where the picture holds none, `baked_many` where it holds one of an older form, or
            under a name written otherwise, beside that of Open Badges 3.0, `not_svg` for other XML, and those of
            `pdf.unbake`.
        CredentialError: `baked_twice` where it holds more than one, `baked_form`, and those of `bake` for damaged
            pictures.
        UnreadFormError: a badge that was baked as Open Badges 1 and 2 did, an SVG in an encoding not read here, or a
            credential in another form than Open Badges 3.0 has it in (`baked_compressed`, `baked_form`).
        LimitError: too large, too many chunks or elements.
    """
    if pdf.is_pdf(file):
        _check_size(file)
        return Baked("pdf", pdf.unbake(file))
    found = _checked_format(file)
    return Baked(found, png.unbake(file) if found == "png" else svg.unbake(file))


def _check_size(file: bytes) -> None:
    if len(file) > PICTURE_BYTES:
        raise LimitError("too_large", f"The file has {len(file)} bytes; {PICTURE_BYTES} are read at most.")


def _checked_format(picture: bytes) -> PictureFormat:
    _check_size(picture)
    found = picture_format(picture)
    if found is None:
        raise CredentialError("picture_kind", "The picture is neither PNG nor SVG (a compressed SVG is not read).")
    return found
