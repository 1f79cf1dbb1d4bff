"""Whether a study can be trusted: audit, confirmation, baselines, references."""
