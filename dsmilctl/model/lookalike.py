"""Look-alike: what names that look the same to a person have in common."""

from __future__ import annotations

_TWINS = str.maketrans(
    {
        **dict(
            zip(
                "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0501\u04bb\u043e"
                "\u03bd\u03b1\u03bd\u03c1\u03c4\u03c5\u03ba\u03bf\u03c9\u0251\u0261",
                "aeopcyxsdhovavptukowag",
                strict=True,
            )
        ),
        **dict.fromkeys("1l|\u0456\u03b9\u04cf\u0131\u0269\u01c0!", "i"),
        **dict(zip("0\u04588$5", "ojbss", strict=True)),
    }
)
"""Cyrillic, Greek and other letters, and the Latin one that each is taken for."""
_PAIRS = (("rn", "m"), ("vv", "w"))
UNSEEN = ("Cf", "Mn", "Me", "Zs", "Cc")
"""Unicode categories that nobody sees in a name: format characters, marks, blanks, controls."""


def skeleton(name: str) -> str:
    """A name as it looks: case, width, accents and blanks folded, look-alike letters made one.

    Folding twice changes nothing.  Source: Unicode Technical Standard 39, confusable detection: NFKD, case
    folding, and the Cyrillic, Greek and Latin letters and digits that are taken for another Latin letter.
    """
    import unicodedata

    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold()).casefold()
    seen = "".join(character for character in folded if unicodedata.category(character) not in UNSEEN)
    seen = seen.translate(_TWINS)
    for pair, single in _PAIRS:
        seen = seen.replace(pair, single)
    return seen
