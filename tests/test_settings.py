"""Settings and database profiles: what is taken, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from provenir_lab.errors import UsageError
from provenir_lab.settings import Settings, build_settings, find_database

PROFILES = """
[databases.here]
url = "sqlite:///mine.db"

[databases.production]
driver = "mssql+pyodbc"
host = "server\\\\SQLEXPRESS"
port = 1433
database = "loans"
username = "reader"
password_env = "LOANS_PASSWORD"
schema = "migration"
options = {driver = "ODBC Driver 18 for SQL Server", Encrypt = "no"}

[databases.linked]
url = "postgresql+psycopg://me@db.example/loans"
password_env = "LOANS_PASSWORD"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder below one with profiles."""
    (tmp_path / "provenir_lab.toml").write_text(PROFILES, encoding="utf-8")
    below = tmp_path / "notebooks" / "deep"
    below.mkdir(parents=True)
    return below


def test_settings_are_built_over_a_base() -> None:
    base = build_settings({"batch_size": "20"})
    assert base.batch_size == 20
    assert build_settings({"workers": 3}, base).model_dump() == {
        **Settings().model_dump(),
        "batch_size": 20,
        "workers": 3,
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batchsize": 1}, "no setting is named batchsize: did you mean batch_size?"),
        ({"zzz": 1}, "settings are: batch_size, workers"),
        ({"batch_size": 0}, "setting batch_size=0: Input should be greater than or equal to 1"),
        ({"batch_size": "many"}, "setting batch_size='many': give a whole number"),
        ({"pool_pre_ping": "x"}, "setting pool_pre_ping='x': give true or false"),
        ({"parse_mode": "quick"}, "setting parse_mode='quick': Input should be 'selective' or 'full'"),
    ],
)
def test_wrong_settings_name_field_and_fix(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        build_settings(values)
    assert message in str(refused.value)


def test_every_setting_is_documented_with_its_default_in_range() -> None:
    source = Path(__file__).parents[1].joinpath("provenir_lab", "settings.py").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        _, found, after = source.partition(f"\n    {name}: ")
        assert found, name
        assert after.partition("\n    ")[2].lstrip().startswith('"""') or '"""' in after[:600], name
    Settings.model_validate(Settings().model_dump())


def test_a_url_a_variable_and_the_default(tmp_path: Path) -> None:
    assert find_database("sqlite:///x.db", environ={}, folder=tmp_path).url == "sqlite:///x.db"
    variable = {"PROVENIR_LAB_DATABASE": "postgresql+psycopg://h/d"}
    found = find_database(None, environ=variable, folder=tmp_path)
    assert (found.name, found.url, found.schema) == ("postgresql", "postgresql+psycopg://h/d", None)
    assert find_database(None, environ={}, folder=tmp_path).url == "sqlite:///lab.db"


def test_profiles_are_found_above_the_current_folder(folder: Path) -> None:
    assert find_database("here", environ={}, folder=folder).url == "sqlite:///mine.db"
    assert find_database(None, environ={"PROVENIR_LAB_DATABASE": "here"}, folder=folder).name == "here"


def test_an_option_may_be_true(tmp_path: Path) -> None:
    options = "{TrustServerCertificate = true, Encrypt = false, LoginTimeout = 5}"
    text = f"[databases.here]\ndriver = 'mssql+pyodbc'\nhost = 'h'\noptions = {options}"
    (tmp_path / "provenir_lab.toml").write_text(text, encoding="utf-8")
    url = find_database("here", environ={}, folder=tmp_path).url
    assert url.endswith("?Encrypt=no&LoginTimeout=5&TrustServerCertificate=yes")


def test_a_wrong_profile_says_that_the_variable_names_it(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^environment variable PROVENIR_LAB_DATABASE: no database profile is"
    ):
        find_database(None, environ={"PROVENIR_LAB_DATABASE": "nowhere"}, folder=tmp_path)


def test_a_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    text = "[databases.here]\nurl = 'sqlite:///mine.db'"
    (tmp_path / "provenir_lab.toml").write_text(text, encoding="utf-8-sig")
    assert find_database("here", environ={}, folder=tmp_path).url == "sqlite:///mine.db"


def test_a_profile_of_parts_with_its_password_from_the_environment(folder: Path) -> None:
    found = find_database("production", environ={"LOANS_PASSWORD": "p@ss:/word"}, folder=folder)
    assert found.schema == "migration"
    from sqlalchemy.engine import make_url

    url = make_url(found.url)
    assert (url.drivername, url.host, url.port) == ("mssql+pyodbc", "server\\SQLEXPRESS", 1433)
    assert (url.database, url.username, url.password) == ("loans", "reader", "p@ss:/word")
    assert url.query["driver"] == "ODBC Driver 18 for SQL Server"
    assert "p@ss" not in repr(found)
    linked = find_database("linked", environ={"LOANS_PASSWORD": "x"}, folder=folder)
    assert linked.url == "postgresql+psycopg://me:x@db.example/loans"


@pytest.mark.parametrize(
    ("content", "wanted", "message"),
    [
        (PROFILES, "prodction", "did you mean production?"),
        (PROFILES, "production", "set the environment variable LOANS_PASSWORD"),
        ("", "here", "there are no profiles"),
        ("[databases.here", "here", "cannot read"),
        ("databases = 3", "here", "expected tables"),
        ('[databases.here]\nhost = "localhost\\SQLEXPRESS"', "here", "in single quotes"),
        (
            '[databases.here]\ndriver = "mssql"\nhost = "srv\\test"',
            "here",
            "here.host: a backslash in double",
        ),
        ('[databases.here]\noptions = {driver = "C:\\new"}', "here", "here.options.driver: a backslash in"),
        ("[databases]\nhere = 3", "here", "databases.here"),
        ("[databases.here]\nurl = 3", "here", "databases.here.url"),
        ("[databases.here]\nulr = 'sqlite:///x.db'", "here", "unknown key ulr: did you mean url?"),
        ("[databases.here]\nurl = 'x://y'\ndriver = 'mssql'", "here", "either url, or driver"),
        ("[databases.here]\nhost = 'x'", "here", "either url, or driver"),
        ("[databases.here]\npassword = 'geheim1!'", "here", "password has no place in the file"),
        (
            "[databases.here]\nurl = 'mssql://h'\npassword_env = 'geheim1!'",
            "here",
            "not the name of an envir",
        ),
        ("[databases.here]\nurl = 'mssql://h'\npassword_env = 'geheim1'", "here", "that password_env names"),
        ("[databases.here]\nurl = 'mssql://h'\nport = 'x'", "here", "here.port: give a whole number"),
        ("", "my/lab.db", "did you mean sqlite:///my/lab.db?"),
        ("[databases.here]\nurl = 'no url'", "here", "not a database URL"),
    ],
)
def test_what_is_wrong_with_a_profile(tmp_path: Path, content: str, wanted: str, message: str) -> None:
    (tmp_path / "provenir_lab.toml").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        find_database(wanted, environ={}, folder=tmp_path)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    "mistyped",
    [
        "postgresql:/lab:hunter2@h/db",
        "lab:hunter2@h/db",
        "Driver=x;PWD=hunter2",
        "postgresql:lab?password=hunter2",
    ],
)
@pytest.mark.parametrize("content", [None, PROFILES])
def test_a_mistyped_url_is_not_repeated(tmp_path: Path, mistyped: str, content: str | None) -> None:
    """It may hold a password."""
    if content is not None:
        (tmp_path / "provenir_lab.toml").write_text(content, encoding="utf-8")
    with pytest.raises(
        UsageError, match=r"neither a URL \(system://user@host/name\) nor a profile: "
    ) as refused:
        find_database(mistyped, environ={}, folder=tmp_path)
    assert "hunter2" not in str(refused.value)
