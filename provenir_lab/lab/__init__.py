"""The measurement: experiments, verdicts, reports."""
