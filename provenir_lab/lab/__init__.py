"""The measurement: controlled experiments on the processor, with evidence for every verdict.

What the command line and `Lab` call, imported lazily; nothing here prints, results are frozen:

    session.run_baseline, session.run_experiment        measured in fresh processes -> record.Result
    session.plan_experiment                             what is fixed before the first run -> plan.Plan
    notebooks.run_baseline_notebook,
    notebooks.run_experiment_notebook                   the same through papermill, with the notebook's page
    campaign.run_campaign                               phases in order, or an interrupted one gone on with
    decisions.revert                                    takes one accepted phase back
    compare.compare, compare.forecast                   stored results, used again
    report.render                                       report.html or a campaign's index.html, again
    record.load_result, campaign.load_campaign_result   what is stored
"""

MIGRATION_DOCUMENTS = 11_000_000
"""Documents of the migration that forecasts are about, unless another number is asked for."""
