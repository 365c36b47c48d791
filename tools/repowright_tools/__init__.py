"""The agent pipeline: a library that has never heard of MCP.

A new stage is one folder and one line in `PIPELINE`.
"""

from collections.abc import Mapping

PIPELINE: Mapping[str, str] = {
    "analyse_repo": "repowright_tools.analyse_repo.stage:AnalyseRepo",
    "plan_feature": "repowright_tools.plan_feature.stage:PlanFeature",
    "generate_code": "repowright_tools.generate_code.stage:GenerateCode",
    "run_tests_sandboxed": "repowright_tools.run_tests_sandboxed.stage:RunTestsSandboxed",
    "open_pr": "repowright_tools.open_pr.stage:OpenPr",
    "generate_cursor_rules": "repowright_tools.generate_cursor_rules.stage:GenerateCursorRules",
    "deliver_feature": "repowright_tools.pipeline:DeliverFeature",
}
"""The stages by name, in order, as `module:class`: naming them imports nothing."""

DELIVERY = ("analyse_repo", "plan_feature", "generate_code", "run_tests_sandboxed", "open_pr")
"""The stages that build on one another, in order: what deliver_feature runs."""
