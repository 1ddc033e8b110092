"""`provenir-lab`: parsing and printing only. Every command is a thin layer over a method of `Lab`."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import typer

from provenir_lab import __version__
from provenir_lab.cli import checks, data, measure, work
from provenir_lab.cli.options import with_category
from provenir_lab.cli.output import show_failure, write_unicode
from provenir_lab.cli.wrong_use import wrong_use
from provenir_lab.errors import Fault, LabError, UsageError, origin

INTERRUPTED = 130
"""What the parser of some versions returns for Ctrl-C, where others raise."""
TRACE_VARIABLE = "PROVENIR_LAB_TRACE"
"""Set to anything, this environment variable makes an unexpected error show where it came from."""

app = typer.Typer(
    name="provenir-lab",
    help="Provenir XML to database tables, fast; and the laboratory that proves how fast.",
    epilog="Begin with: provenir-lab demo; each command: provenir-lab COMMAND --help",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
contract_app = typer.Typer(help="Look at mapping contracts.", no_args_is_help=True, rich_markup_mode=None)

_COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("init", data.init, "provenir-lab init --database sqlite:///lab.db"),
    ("generate", data.generate, "provenir-lab generate --count 500 --profile realistic --seed 1"),
    (
        "load",
        data.load,
        "provenir-lab load my-documents/\n\nExample: provenir-lab load --from production --sample 1000",
    ),
    ("process", work.process, "provenir-lab process --workers 2 --set batch_size=1000"),
    ("map", work.map_, "provenir-lab map document.xml"),
    ("verify", work.verify, "provenir-lab verify --sample 500"),
    ("status", data.status, "provenir-lab status --failed-csv failed.csv"),
    ("clean", data.clean, "provenir-lab clean --yes"),
    ("baseline", measure.baseline, "provenir-lab baseline --runs 10"),
    ("run", measure.run, "provenir-lab run experiments/phase2-1-batch-size.yaml"),
    ("campaign", measure.campaign, "provenir-lab campaign experiments/campaign-phase2.yaml"),
    ("report", measure.report, "provenir-lab report results/baseline/20260102T030405Z-1a2b"),
    (
        "compare-code",
        measure.compare_code,
        "provenir-lab compare-code main~1 main experiments/baseline.yaml --tests tests/mapping",
    ),
    ("compare", measure.compare, "provenir-lab compare results/baseline/A results/baseline/B"),
    ("forecast", measure.forecast, "provenir-lab forecast --documents 11000000"),
    ("demo", measure.demo, "provenir-lab demo"),
    ("doctor", checks.doctor, "provenir-lab doctor --database production"),
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"provenir-lab {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None: ...


def _first_sentence(function: Callable[..., None]) -> str:
    """What the list of commands shows, whole: at most 60 characters."""
    return (function.__doc__ or "").partition(". ")[0].strip().rstrip(".") + "."


for _name, _function, _example in _COMMANDS:
    app.command(_name, short_help=_first_sentence(_function), epilog=f"Example: {_example}")(_function)
contract_app.command(
    "check", epilog="Example: provenir-lab contract check my-contract.json --database sqlite:///lab.db"
)(checks.contract_check)
app.add_typer(contract_app, name="contract")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit status: 0 done, 1 the work failed, 2 wrong use.

    Every error is printed as one line on standard error: what, where, what to do; with `--json` it is also
    the one object on standard output.
    """
    write_unicode()
    command: Any = typer.main.get_command(app)
    asked = with_category(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    fail = partial(show_failure, as_json="--json" in asked)
    try:
        with _sigterm_as_interrupt():
            status = command.main(asked, prog_name="provenir-lab", standalone_mode=False)
    except Fault as error:
        return fail(_of_worker(error), error.exit_status)
    except LabError as error:
        return fail(str(error), error.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `provenir-lab map ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.filename is None:
            return fail(_unexpected(error), LabError.exit_status)
        return fail(f"{str(error.filename)[:200]}: {error.strerror}", LabError.exit_status)
    except Exception as error:
        if hasattr(error, "format_message"):  # of the command-line parser
            return fail(wrong_use(error, asked, command), UsageError.exit_status)
        return fail(_unexpected(error), LabError.exit_status)
    if status == INTERRUPTED:
        return fail("interrupted; what is done is kept, and the same command goes on from there", 1)
    return status if isinstance(status, int) else 0


def _unexpected(error: Exception) -> str:
    """Where an unexpected error came from. Its text may hold values of a document, so it is not shown."""
    return _traceable(f"unexpected {origin(error)}, a fault of provenir-lab", error)


def _of_worker(error: Fault) -> str:
    """The same for what a worker did not expect; only from one in this process the error itself is there."""
    if error.__context__ is None or error.__cause__ is not None:
        return f"{error}: please report it"
    return _traceable(str(error), error.__context__)


def _traceable(message: str, error: BaseException) -> str:
    if os.environ.get(TRACE_VARIABLE):
        traceback.print_exception(error)
    return f"{message}: please report it; {TRACE_VARIABLE}=1 shows its origin (and may show document values)"


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does: the batch is finished or rolled back, workers end."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: whoever runs us there minds the signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
