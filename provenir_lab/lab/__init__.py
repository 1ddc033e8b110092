"""The measurement: controlled experiments on the processor, through notebooks, with evidence for every
verdict.

What the command line and `Lab` call (all imported lazily; none prints; each returns plain frozen data):

    session.run_baseline(database, *, contract=None, runs=10, documents="auto", profile="compact", seed=1,
                         min_seconds=2.0, settings=None, results="results", folder=None, progress=None) ->
                         Result
    session.run_experiment(database, experiment: str | Path | Experiment, *, contract=None, runs=None,
    documents=None,
                           quick=False, settings=None, results="results", folder=None, progress=None) ->
                           Result
    notebooks.run_baseline_notebook(database, **as run_baseline) -> Result      the same through
    01-baseline.ipynb notebooks.run_experiment_notebook(database, experiment, **as run_experiment) -> Result
    campaign.run_campaign(database, campaign: str | Path, *, contract=None, quick=False, results="results",
                          progress=None) -> CampaignResult
    session.plan_experiment(database, experiment, ...) -> Plan             what is fixed before the first run
    decisions.revert(accepted_file, phase) -> Accepted                    takes one phase back
    report.render(folder) -> Path                  report.html (or a campaign's index.html) again, from what
    is stored record.load_result(folder) -> Result           a stored result
    compare.compare(folder_a, folder_b) -> ComparedResults
    compare.forecast(folder | None, documents, results="results") -> MigrationForecast   None: the newest
    stored baseline

`database` is a `settings.Database`, `progress` a `progress.Progress` (one step a run), `contract` a path or
None for the shipped one; `settings` the `Settings` to start from. `Result` has `.folder`, `.report`,
`.headline` (one line), `.summary` (plain dict), `.runs`, `.plot()` and shows itself in JupyterLab;
`.to_dict()` is for `--json`.
"""
