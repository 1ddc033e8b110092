"""The files that name packages agree: pyproject.toml is the truth."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA_NAMES = {"matplotlib": "matplotlib-base", "dask": "dask-core"}
CONDA_EXTRAS = ("postgresql", "dask")


def ranges(requirements: list[str]) -> dict[str, str]:
    parsed = [Requirement(text) for text in requirements]
    return {canonicalize_name(r.name): ",".join(sorted(str(r.specifier).split(","))) for r in parsed}


def pinned() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pins}


def test_environment_yml_holds_the_same_direct_dependencies() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    packages = [item for item in environment["dependencies"] if isinstance(item, str)]
    expected = ranges(PROJECT["dependencies"])
    for extra in CONDA_EXTRAS:
        expected |= ranges(EXTRAS[extra])
    expected = {CONDA_NAMES.get(name, name): wanted for name, wanted in expected.items()}
    expected |= {"python": PROJECT["requires-python"], "pip": ""}

    assert ranges(packages) == expected


def test_environment_yml_installs_the_package_itself() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)] == [
        ["--editable ."]
    ]


def test_constraints_hold_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wrong = [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)]
    assert wrong == []
    assert not re.search(r"https?:|file:|@|/", "".join(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("group", ["dependencies", *EXTRAS])
def test_constraints_satisfy_every_range(group: str) -> None:
    pins = pinned()
    for text in PROJECT["dependencies"] if group == "dependencies" else EXTRAS[group]:
        requirement = Requirement(text)
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in constraints.txt"
        assert requirement.specifier.contains(version), f"{text} excludes {version}"


def test_constraints_install_on_the_oldest_python_of_the_range() -> None:
    """As the packages say themselves, where the pinned version is the installed one; Debian 12 has 3.11.2."""
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    newest_only = [
        f"{name} {version}: Python {wanted}"
        for name, version in pinned().items()
        if (found := installed(name)) is not None
        and Version(found.version) == version
        and not SpecifierSet(wanted := found.metadata.get("Requires-Python") or "").contains(oldest)
    ]
    assert newest_only == []


def installed(name: str) -> metadata.Distribution | None:
    """None for what this system does not need, or this environment was not asked for."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def test_pre_commit_runs_the_ruff_of_the_constraints() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    used = {name for hook in hooks for name in hook.get("additional_dependencies", [])}
    assert used == {f"ruff=={pinned()['ruff']}"}


def test_the_package_has_the_version_of_pyproject() -> None:
    from provenir_lab import __version__

    assert __version__ == PROJECT["version"]
