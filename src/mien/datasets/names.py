"""Names of files, classes and people, as they come from file systems and tables."""

import unicodedata

from mien.errors import DataError


def composed(text: str) -> str:
    """Each letter and its accent as one character: some file systems part the two."""
    return unicodedata.normalize("NFC", text)


def check_text(name: str) -> None:
    """Raise DataError for a name that no table could hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{name!r}: a name that is no UTF-8; rename it") from None
