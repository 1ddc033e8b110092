"""What README and guides show is run: commands, Python, configuration, tables of the contract language."""

import doctest
import importlib.util
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from command_lines import words_of
from shell_lines import NOT_RUN, Page, quietly

from provenir_lab.aliases.connection import server_of
from provenir_lab.cli import main
from provenir_lab.lab.campaign import Campaign
from provenir_lab.lab.experiment import parse_experiment
from provenir_lab.settings import Settings, find_database

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(
    r"""^(?P<indent>[ ]*)```(?P<language>\w*)(?P<rest>[^\n]*)\n(?P<body>.*?)^(?P=indent)```""", re.M | re.S
)
TITLE = re.compile(r'title="([^"]+)"')
OUTPUT = doctest.OutputChecker()
SHELLS = ("sh", "bat", "powershell")
WITH_TESTS_OF_THEIR_OWN = ("adding-a-phase.md",)
"""Pages whose Python needs the change that they show; test_adding_a_phase.py makes it and runs them."""


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    title: str | None
    text: str


def blocks(page: Path) -> Iterator[Block]:
    source = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(source):
        indent = match["indent"]
        text = "".join(line.removeprefix(indent) for line in match["body"].splitlines(keepends=True))
        title = TITLE.search(match["rest"])
        line = source.count("\n", 0, match.start()) + 1
        yield Block(page, line, match["language"], title[1] if title else None, text)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# ---- code blocks


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_code_blocks_run_as_shown(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page, one after the other, in one empty folder and one Python namespace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROVENIR_LAB_DATABASE", raising=False)
    write_profiles(page)
    shell = Page(monkeypatch)
    try:
        run_blocks(page, tmp_path, shell)
    finally:
        shell.close()


def run_blocks(page: Path, folder: Path, shell: Page) -> None:
    namespace: dict[str, Any] = {"__name__": "__guide__"}
    for block in blocks(page):
        place = f"{page_id(page)}:{block.line}"
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")
        match block.language:
            case "diff":
                assert page.name in WITH_TESTS_OF_THEIR_OWN, place
            case "python" if page.name not in WITH_TESTS_OF_THEIR_OWN:
                exec(compile("\n" * block.line + shell.local(block.text), str(page), "exec"), namespace)
            case "console":
                run_console(block.text, place)
            case language if language in SHELLS:
                shell.run(block.text, language, place)
            case "yaml" if page.name not in WITH_TESTS_OF_THEIR_OWN:
                check_yaml(block.text, block.title or place)
            case "toml":
                check_profiles(block.text, folder / "profiles")
            case "json":
                json.loads(block.text)
            case "yaml" | "xml" | "text" | "python" | "sql":  # tests/processing/test_rights.py runs the SQL
                pass
            case other:
                raise AssertionError(f"{place}: no rule for blocks of {other!r}")


def run_console(text: str, place: str) -> None:
    """`$ command` lines with the output that follows them; `...` stands for anything."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "provenir-lab", f"{place}: {command}"
        status, found = quietly(partial(main, arguments))
        assert same_output(expected, found), f"{place}: {command} printed\n{found}"
        assert (status == 0) != ("error: " in expected), f"{place}: {command} ended with {status}"


def same_output(expected: str, found: str) -> bool:
    """Equal but for white space and `...`; JSON is compared as data."""
    try:
        return bool(json.loads(expected) == json.loads(found))
    except ValueError:
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        return OUTPUT.check_output(expected, found, flags)


def check_yaml(text: str, where: str) -> None:
    """Experiments and campaigns of a guide are ones, unless their name says that they are wrong."""
    content = yaml.safe_load(text)
    if where.startswith("wrong") or "title" not in content:
        return
    if "experiments" in content:
        Campaign.model_validate(content)
    else:
        parse_experiment(content, where).check(Settings())


def check_profiles(text: str, folder: Path) -> None:
    """Profiles of a guide can be read, each with its password in the variable that it names."""
    folder.mkdir(exist_ok=True)
    (folder / "provenir_lab.toml").write_text(text, encoding="utf-8")
    profiles = tomllib.loads(text).get("databases", {})
    passwords = {p["password_env"]: "secret" for p in profiles.values() if "password_env" in p}
    for name in profiles:
        assert find_database(name, environ=passwords, folder=folder).name == name


def write_profiles(page: Path) -> None:
    """Every profile of the page, in the present folder, and each leads to a SQLite file of its own."""
    texts = [tomllib.loads(block.text) for block in blocks(page) if block.language == "toml"]
    names = {name for text in texts for name in text.get("databases", {})}
    if names or "--database lab" in page.read_text(encoding="utf-8"):
        lines = [f'[databases.{name}]\nurl = "sqlite:///{name}.db"\n' for name in names | {"lab"}]
        Path("provenir_lab.toml").write_text("".join(lines), encoding="utf-8")


def test_what_is_listed_as_not_run_stands_in_a_guide() -> None:
    lines = {
        line.strip()
        for page in PAGES
        for block in blocks(page)
        if block.language in SHELLS
        for line in block.text.splitlines()
    }
    assert [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, line) for line in lines)] == []


@pytest.mark.parametrize("line", ["rm -rf .", "python3 -m http.server", "provenir-lab-x init", "conda"])
def test_a_line_that_is_neither_run_nor_listed_is_found(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="neither run nor listed"):
        Page(monkeypatch).run(line, "sh", "guide.md:1")


def test_a_shell_that_takes_a_backslash_away_is_found() -> None:
    with pytest.raises(AssertionError, match="backslash"):
        words_of(r"production_processor --server localhost\SQLEXPRESS")
    assert words_of(r'x "localhost\SQLEXPRESS"') == words_of(r"x localhost\SQLEXPRESS", windows=True)


def test_the_profile_in_coming_from_is_the_one_that_the_line_above_it_tells() -> None:
    line, profile = (block.text for block in list(blocks(DOCS / "coming-from.md"))[1:3])
    words = words_of(line)
    server, database = (words[words.index(option) + 1] for option in ("--server", "--database"))
    trusted = "--trust-server-certificate" in words
    assert profile.strip() == server_of(server, database, None, None, trusted=trusted).profile()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_named_files_exist(page: Path) -> None:
    """Files of the repository that a page names, such as `tests/conftest.py`, and pictures that it shows."""
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:provenir_lab|tests|docs|notebooks|experiments)/[\w./-]+)`", text)
    shown = [(page.parent / name).resolve() for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)]
    assert [name for name in [*(ROOT / name for name in named), *shown] if not name.exists()] == []


def test_the_pictures_are_of_a_campaign_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])  # the script adds to it
    script = load(DOCS / "screenshots.py")
    folders = json.loads((script.CAMPAIGN / "campaign.json").read_text(encoding="utf-8"))["folders"]
    shown = [folders[step] / Path("report.html") for step in (script.kept_phase(script.CAMPAIGN), "baseline")]
    assert [page for page in ["index.html", *shown] if not (script.CAMPAIGN / page).is_file()] == []


CODE = re.compile(r"`([A-Za-z_][\w./*-]*)(?:\(\))?`")


def test_what_contributing_names_exists() -> None:
    """Names in backticks: files and folders of the project, words of its code, commands, settings."""
    prose = FENCE.sub("", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    words = {
        word
        for folder in ("provenir_lab", "tests", "docs")
        for path in (ROOT / folder).rglob("*.py")
        for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
    } | set(re.findall(r"[\w-]+", (ROOT / "dev.py").read_text(encoding="utf-8")))
    named = {match[1] for match in CODE.finditer(prose)}
    assert len(named) > 50
    assert sorted(n for n in named if not any(ROOT.glob(n)) and not set(re.split(r"[./-]", n)) <= words) == []


# ---- generated pages


@pytest.mark.parametrize("name", ["commands.md", "settings.md"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    page = load(DOCS / "reference.py").PAGES[name]()
    assert (DOCS / name).read_text(encoding="utf-8") == page, "run: .venv/bin/python docs/reference.py"
