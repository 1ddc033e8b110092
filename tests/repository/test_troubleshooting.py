"""docs/troubleshooting.md: every message that it quotes stands in the program's source, so none is of old."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SOURCES = [*sorted((ROOT / "provenir_lab").rglob("*.py")), ROOT / "dev.py"]
OF_THE_PARSER = ("No such command", "No such option", "Did you mean", "Input should be", "Missing option")
"""Beginnings of texts that the libraries under the command line write; the console blocks run them."""


def templates() -> str:
    """Every text of the source, one a line; what is filled in is `...`, and broken texts are whole again."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "..." for p in node.values]
                found.append("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def quoted() -> list[str]:
    """The messages of the guide: lines `error: ...` and what tables and sentences quote from them."""
    lines = re.findall(r"^error: (.+)$", GUIDE, re.M)
    rows = re.findall(r"^\| `(?:dev\.py|error): ([^`]+)` \|", GUIDE, re.M)
    inline = re.findall(r"`(?:error: |\.\.\. )([^`\n]+(?:\n[^`\n]+)?)`", GUIDE)
    return [*lines, *rows, *inline]


def pieces(message: str) -> list[str]:
    """The longest runs of words of a message that can stand in a template: between values and punctuation."""
    words = re.split(r"\.\.\.|[`'():;,]|\S+[=/\\]\S*|\S*://\S*", message)
    return [" ".join(piece.split()) for piece in words if len(piece.split()) >= 3]


def test_every_quoted_message_is_one_of_the_program() -> None:
    source = " ".join(templates().split())
    messages = quoted()
    assert len(messages) >= 10
    unknown = {
        piece
        for message in messages
        if not message.startswith(OF_THE_PARSER)
        for piece in pieces(message)
        if not piece.startswith(OF_THE_PARSER) and piece not in source and not in_order(piece, source)
    }
    assert unknown == set()


def in_order(piece: str, source: str) -> bool:
    """Whether a piece stands in the source with a value in place of a word or two."""
    words = piece.split()
    patterns = (
        " ".join([*map(re.escape, words[:i]), r"\S*\.\.\.\S*", *map(re.escape, words[i + width :])])
        for width in (1, 2)
        for i in range(len(words) - width + 1)
    )
    return any(re.search(pattern, source) for pattern in patterns)


def test_a_message_that_is_not_the_programs_is_found() -> None:
    assert not in_order("there is no butter on this bread", templates())
