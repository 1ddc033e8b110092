"""What README and guides show is run: commands, Python, configuration, tables of the contract language."""

import doctest
import importlib
import importlib.util
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from command_lines import ALIASES, parse, words_of

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
QUICK = ("init", "generate", "load", "process", "status", "verify", "doctor")
"""Commands that the shell lines of guides really run, in an empty folder for each page."""
WITH_TESTS_OF_THEIR_OWN = ("adding-a-phase.md",)
"""Pages whose Python needs the change that they show; test_adding_a_phase.py makes it and runs them."""
SYSTEM_PROGRAMS = ("apt-get", "chgrp", "conda", "git", "jupyter", "make", "export", ". .venv", "pre-commit")
"""First words of shell lines that change the machine: they are named in guides, not run by tests."""


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
    namespace: dict[str, Any] = {"__name__": "__guide__"}
    for block in blocks(page):
        place = f"{page_id(page)}:{block.line}"
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        match block.language:
            case "diff":
                assert page.name in WITH_TESTS_OF_THEIR_OWN, place
            case "python" if page.name not in WITH_TESTS_OF_THEIR_OWN:
                exec(compile("\n" * block.line + block.text, str(page), "exec"), namespace)
            case "console":
                run_console(block.text, place)
            case "sh" | "bat" | "powershell":
                run_shell(block.text, place)
            case "yaml" if page.name not in WITH_TESTS_OF_THEIR_OWN:
                check_yaml(block.text, block.title or place)
            case "toml":
                check_profiles(block.text, tmp_path)
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
        status, found = provenir_lab(*arguments)
        assert same_output(expected, found), f"{place}: {command} printed\n{found}"
        assert (status == 0) != ("error: " in expected), f"{place}: {command} ended with {status}"


def provenir_lab(*arguments: str) -> tuple[int, str]:
    """Exit status and all output of the command line, run in this process: a new one takes half a second."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        status = main(arguments)
    return status, output.getvalue()


def same_output(expected: str, found: str) -> bool:
    """Equal but for white space and `...`; JSON is compared as data."""
    try:
        return bool(json.loads(expected) == json.loads(found))
    except ValueError:
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        return OUTPUT.check_output(expected, found, flags)


def run_shell(text: str, place: str) -> None:
    """Shell lines: quick commands on the page's own lab are run, longer ones are taken apart by the parser,
    dev.py's must exist (test_dev.py runs them), and all others be of a known system program."""
    dev = load(ROOT / "dev.py")
    for line in text.splitlines():
        program, *words = [*words_of(line), "", ""]
        words = [word for word in words if word]
        if program in ("python3", "py") and words[:1] == ["dev.py"]:
            assert words[1] in dev.COMMANDS, f"{place}: {line}"
        elif program == "provenir-lab":
            parse(words)
            if words[0] in QUICK and "--database" not in words:
                make_named_documents(words)
                status, output = provenir_lab(*words)
                assert status == 0, f"{place}: {line}\n{output}"
        elif program in ALIASES:
            with redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as ended:
                importlib.import_module(f"provenir_lab.aliases.{program}").main([*words, "--help"])
            assert ended.value.code == 0, f"{place}: {line}"
        else:
            known = (*SYSTEM_PROGRAMS, "python3 -m", ".venv", "$env:", "set ")
            assert not program or line.strip().startswith(known), f"{place}: {line}"


def make_named_documents(words: list[str]) -> None:
    """Puts a document where a line loads one from, such as `path/to/documents`."""
    if words[0] == "load" and len(words) > 1 and not Path(words[1]).exists():
        Path(words[1]).mkdir(parents=True)
        shutil.copy(ROOT / "tests" / "data" / "samples" / "typical-1.xml", words[1])


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
    (folder / "provenir_lab.toml").write_text(text, encoding="utf-8")
    profiles = tomllib.loads(text).get("databases", {})
    passwords = {p["password_env"]: "secret" for p in profiles.values() if "password_env" in p}
    for name in profiles:
        assert find_database(name, environ=passwords, folder=folder).name == name


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_named_files_exist(page: Path) -> None:
    """Files of the repository that a page names, such as `tests/conftest.py`, and pictures that it shows."""
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:provenir_lab|tests|docs|notebooks|experiments)/[\w./-]+)`", text)
    shown = [(page.parent / name).resolve() for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)]
    assert [name for name in [*(ROOT / name for name in named), *shown] if not name.exists()] == []


# ---- generated pages


@pytest.mark.parametrize("name", ["commands.md", "settings.md"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    page = load(DOCS / "reference.py").PAGES[name]()
    assert (DOCS / name).read_text(encoding="utf-8") == page, "run: .venv/bin/python docs/reference.py"


# ---- the site


def test_the_site_builds_and_opens_without_a_network(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr

    fetched = re.compile(
        r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*stylesheet[^>]*//"""
    )
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 5
    assert [page.name for page in pages if fetched.search(page.read_text(encoding="utf-8"))] == []
