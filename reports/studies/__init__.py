"""Ablation studies: sweeps with a question, and the page that answers it from their records."""

STUDIES: dict[str, str] = {
    "lambda": "reports.studies.identity_weight:STUDY",
    "drift": "reports.studies.drift:STUDY",
    "auxiliaries": "reports.studies.auxiliaries:STUDY",
    "seeds": "reports.studies.seeds:STUDY",
    "hard-scenes": "reports.studies.hard_scenes:STUDY",
    "conditioning": "reports.studies.conditioning:STUDY",
    "methods": "reports.studies.methods:STUDY",
}
"""Name -> "module:object" of its `reports.studies.study.Study`. A study is one file here, its sweeps in
sweeps/studies/NAME*.yaml, and a line."""
