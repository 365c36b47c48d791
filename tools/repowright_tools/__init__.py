"""The agent pipeline: a library that has never heard of MCP.

A new stage is one folder and one line in `PIPELINE`.
"""

PIPELINE = (
    "repowright_tools.analyse_repo.stage:AnalyseRepo",
    "repowright_tools.plan_feature.stage:PlanFeature",
    "repowright_tools.generate_code.stage:GenerateCode",
    "repowright_tools.run_tests_sandboxed.stage:RunTestsSandboxed",
    "repowright_tools.open_pr.stage:OpenPr",
    "repowright_tools.generate_cursor_rules.stage:GenerateCursorRules",
    "repowright_tools.pipeline:DeliverFeature",
)
"""The stages in order, as `module:class`, so that naming them imports nothing."""
