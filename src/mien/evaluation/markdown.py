"""Text in Markdown."""

import re
from collections.abc import Iterable, Sequence


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, also in a table; class names may hold anything."""
    return re.sub(r"[\\|*<&`\[]", r"\\\g<0>", " ".join(text.split()))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are shown as they are."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(escaped, line))} |" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """A list, whose items are Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def code_block(lines: Iterable[str]) -> str:
    """Lines as they are."""
    return "\n".join(f"    {line}" for line in lines)
