"""`Lab`: the verbs of the command line in Python, on one database with one contract."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenir_lab.api.base import File
from provenir_lab.api.mapped import MappedFiles
from provenir_lab.api.measuring import Measuring
from provenir_lab.display import Facts
from provenir_lab.errors import UsageError
from provenir_lab.files import make_folder
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.derived import enum_rows
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.processing import intake
from provenir_lab.processing.cluster import Dask
from provenir_lab.processing.metrics import write_metrics
from provenir_lab.processing.outcome import Outcome
from provenir_lab.processing.place import fitted
from provenir_lab.processing.processor import Request, process
from provenir_lab.processing.status import Status, read_status, write_failed_csv
from provenir_lab.processing.verify import Verification, verify
from provenir_lab.progress import Progress
from provenir_lab.settings import Database, Settings, build_settings, suggestion
from provenir_lab.storage import cleanup
from provenir_lab.storage.database import masked
from provenir_lab.storage.schema import Marker, Target, create_lab
from provenir_lab.storage.writer import utc_now

if TYPE_CHECKING:
    from provenir_lab.doctor import Checkup
    from provenir_lab.lab.record import Result

EXECUTORS = ("processes", "dask")


class Lab(Measuring):
    """One database, one contract, and settings to start from. Each call opens and closes its connections.

    `database` is a profile of `provenir_lab.toml` or a SQLAlchemy URL; None: the environment variable
    PROVENIR_LAB_DATABASE, else `sqlite:///lab.db`. `contract` is a contract file; None: the shipped
    credit-card contract. `schema` is where the lab's tables are; None: the profile's, else the contract's.
    `progress` is called while long work goes on; None: a bar in terminals and notebooks.

    Every method raises UsageError or one of its kin for what the caller can put right, DatabaseError when the
    database fails.
    """

    @classmethod
    def demo(cls, folder: File = "demo", *, progress: Progress | None = None) -> Result:
        """A lab on SQLite in a folder of its own, with documents, a baseline of 5 runs and its report."""
        place = Path(folder)
        try:
            make_folder(place)
        except OSError as error:
            raise UsageError(f"{place}: cannot be made ({error.strerror}): name another folder") from None
        file = place / "demo.db"
        lab = cls(f"sqlite:///{file.as_posix()}", progress=progress)
        if not file.exists():
            lab.init()
        return lab.baseline(runs=5, results=place / "results", notebook=True)

    # ---- documents and tables

    def init(self) -> Facts:
        """Creates the tables and the lab marker in an empty schema. Raises GuardError if it holds tables."""
        marker = Marker(secrets.token_hex(8), utc_now().replace(microsecond=0), self.contract.fingerprint)
        with self._engine() as engine:
            create_lab(engine, self.target, enum_rows(self.contract), marker)
        facts = {"database": masked(self.database.url), "tables": len(self.target.target_tables)}
        return Facts("Lab created", facts)

    def generate(
        self,
        count: int,
        *,
        profile: str = "compact",
        seed: int = 1,
        start_app_id: int = 100_001,
        duplicate_contacts: float = 0.0,
        faults: float = 0.0,
        to: File | None = None,
    ) -> Facts:
        """Makes `count` mock documents, in the source table or as files `<app_id>.xml` in the folder `to`.

        Profiles are compact (10 KB), realistic (median 130 KB) and heavy (up to 2 MB); the shares
        `duplicate_contacts` and `faults` are between 0 and 1. Same arguments, same bytes.
        """
        from provenir_lab.mock import generate

        documents = generate(
            count,
            seed=seed,
            profile=profile,
            start_app_id=start_app_id,
            duplicate_contacts=duplicate_contacts,
            faults=faults,
        )
        stream = ((d.app_id, d.text, d.campaign_num) for d in documents)
        with self._showing() as progress:
            if to is not None:
                made = intake.write_files(stream, Path(to), count, progress)
            else:
                with self._lab_engine() as engine:
                    made = intake.store_generated(engine, self.target, stream, count, progress)
        place = str(to) if to is not None else masked(self.database.url)
        facts = {
            "documents": made,
            "profile": profile,
            "seed": seed,
            "first_app_id": start_app_id,
            "to": place,
        }
        return Facts("Generated", facts)

    def load(self, *paths: File) -> intake.Loaded:
        """Puts XML files, or all those of directories, into the source table; app_ids from the documents."""
        files = intake.find_files(paths)
        with self._lab_engine() as engine, self._showing() as progress:
            mapper = self._mapper(self.settings)
            return intake.load_files(
                engine, self.target, self.contract, mapper=mapper, files=files, progress=progress
            )

    def load_from(self, database: str | Database, sample: int, *, seed: int = 1) -> intake.Loaded:
        """Copies `sample` documents, spread by chance, from another database, which is only read.

        `database` is a profile or a URL; its documents are where the contract says, in the profile's schema.
        """
        if sample < 1:
            raise UsageError(f"sample {sample}: give at least 1")
        other = Lab(database, contract=self._contract_file)
        with (
            other._engine(read_only=True) as source,
            self._lab_engine() as engine,
            self._showing() as progress,
        ):
            return intake.copy_documents(
                (source, other.target),
                (engine, self.target),
                self._mapper(self.settings),
                sample=sample,
                seed=seed,
                progress=progress,
            )

    def status(self, metrics: File | None = None) -> Status:
        """Pending, succeeded and failed documents, and the last sessions; with the folder of metrics files
        also the throughput of the last run as it measured it itself."""
        with self._ready_engine() as engine:
            return read_status(engine, self.target, None if metrics is None else Path(metrics))

    def failed_csv(self, file: File) -> int:
        """Writes every failed document as a line `app_id,category,reason`; returns how many."""
        with self._ready_engine() as engine:
            return write_failed_csv(engine, self.target, Path(file))

    def clean(self) -> Facts:
        """Empties target tables and log; documents stay. Raises GuardError, with nothing deleted, unless the
        schema is a lab and every application in it was written by this lab."""
        with self._engine() as engine:
            return Facts("Rows deleted", cleanup.clean(engine, self.target))

    # ---- the work

    def process(
        self,
        *,
        limit: int | None = None,
        app_id_start: int | None = None,
        app_id_end: int | None = None,
        retry_failed: bool | str = False,
        allow_contract_change: bool = False,
        executor: str = "processes",
        scheduler: str | None = None,
        metrics: File | None = None,
        **settings: Any,
    ) -> Outcome:
        """Processes pending documents: all, at most `limit`, or an inclusive range of app_ids.

        `retry_failed` takes failed documents again: True for all, a category for those of it. A run with
        another contract than the last one's is refused unless `allow_contract_change`. `executor` says where
        workers run: `processes` of this machine, or `dask`: a Dask cluster, whose `scheduler` is at an
        address such as `tls://host:8786`; None: a cluster of this machine, made for the run. `metrics` is a
        folder for the run's metrics file, which also a run leaves that ends early. `settings` are fields of
        `Settings`, such as `batch_size=500`.
        """
        if executor not in EXECUTORS:
            raise UsageError(
                f"no executor is named {executor}: {suggestion(executor, EXECUTORS, 'executors')}"
            )
        if scheduler is not None and executor != "dask":
            raise UsageError("a scheduler goes with the executor dask: give both")
        dask = Dask(scheduler, self.database.password_env) if executor == "dask" else None
        request = Request(
            limit=limit,
            app_id_start=app_id_start,
            app_id_end=app_id_end,
            retry_failed=bool(retry_failed),
            retry_category=retry_failed if isinstance(retry_failed, str) else None,
            allow_contract_change=allow_contract_change,
        )
        used = build_settings(settings, self.settings)
        self._require_tables()

        def keep(outcome: Outcome, ended_early: str | None) -> None:
            if metrics is not None:
                write_metrics(Path(metrics), outcome, masked(self.database.url), utc_now(), ended_early)

        with self._showing() as progress:
            return process(
                self.database.url,
                self.contract,
                self.target,
                used,
                request,
                dask=dask,
                progress=progress,
                on_end=keep,
            )

    def map(self, *files: File, **settings: Any) -> MappedFiles:
        """The rows that files map to, without a database, to be iterated over: for each file one plain dict,
        fit for JSON, made when its turn comes:

        `{"file", "app_id", "rows": {table: [{column: value}]}}` or
        `{"file", "rejected": {"category", "reason"}}`; dates as ISO text, decimals as text.
        """
        mapper = self._mapper(build_settings(settings, self.settings))
        return MappedFiles(mapper, tuple(intake.find_files(files)))

    def verify(self, sample: int | None = 1000) -> Verification:
        """Maps documents again and compares with the tables: an evenly spread `sample`, or all (None)."""
        if sample is not None and sample < 1:
            raise UsageError(f"sample {sample}: give at least 1")
        with self._ready_engine() as engine, self._showing() as progress:
            target = fitted(engine, self.target, self.contract, masked(self.database.url))
            return verify(engine, target, self._mapper(self.settings, target), sample, progress)

    def check_contract(self) -> Facts:
        """What the contract holds, what in it is doubtful, and that its tables are as it needs them.

        Raises PreflightError listing every difference between contract and tables.
        """
        place = masked(self.database.url)
        with self._ready_engine() as engine:
            fitted(engine, self.target, self.contract, place)
        found = _about(self.contract)
        return replace(found, facts={**found.facts, "database": f"{place} fits"})

    def doctor(self) -> Checkup:
        """What this machine has and lacks for work on this database, each lack with its fix."""
        from provenir_lab.doctor import examine

        return examine(self.database)

    def _mapper(self, settings: Settings, target: Target | None = None) -> Mapper:
        return compile_mapper(
            self.contract,
            (target or self.target).tables,
            parse_mode=settings.parse_mode,
            max_document_mb=settings.max_document_mb,
        )


def check_contract(file: File) -> Facts:
    """What a contract file holds, and what in it is doubtful. Raises ContractError listing every problem."""
    return _about(load_contract(file))


def _about(contract: Contract) -> Facts:
    from provenir_lab.mapping import checking

    return Facts(
        f"Contract {contract.name}",
        {
            "fingerprint": contract.fingerprint,
            "mappings": len(contract.fields),
            "tables": len(contract.tables),
            "enums": len(contract.enums),
            "warnings": checking.check_contract(contract),
        },
    )
