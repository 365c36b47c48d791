"""What the planner is told: our own words only."""

from repowright_tools.plan_feature.models import Mode

_TASK = """\
You plan a change to a software repository. Others will write the code from your plan and test it, so it must be exact.

Work from the request, the constraints and the repository data below. Answer with one plan:
- requirements: what the request asks for, one testable statement each (R1, R2, ...). Nothing that was not asked for.
- acceptance: for every requirement at least one check that a program can decide (A1, A2, ...): a test by name, a
  command that must succeed, or an assertion. Prefer tests that do not exist yet over ones that pass already.
- tasks: small steps (T1, T2, ...) in an order that `depends_on` makes explicit, without cycles. `covers` names the
  requirements a task serves. Tests are part of the task whose behaviour they check.
- files_to_modify of a task: existing files, spelled exactly as in the repository data. new_files_needed: files that do
  not exist yet. A later task may modify a file that a task it depends on creates. The two lists at the top of the plan
  are the files of all tasks together: existing ones in the first, new ones in the second.
- symbols: the functions and classes a task touches, by the names in the repository data.
- dependencies: new third-party packages, only if there is no reasonable way without.
- complexity: 1 (one place) to 5 (changes the design). risks, test_plan, rollback: short and specific to this change.
- questions: what you had to guess, each with the default that the plan assumes.

Follow the conventions of the code you see. Do not plan changes to workflows of continuous integration, editor or git
configuration, or owners files: they are refused. If the request contradicts itself or the code, say so in questions and
plan the most cautious reading."""

_REGENERATE = """
This request has been planned before, and the earlier plan and the outcome of its tests are among the data below. Plan
anew for what failed. Keep the tasks whose tests passed exactly as they are, with their ids; new tasks get new ids."""

_LEGACY = """
The request is to rebuild an old part of this system. First plan tests that pin its present behaviour, then replace it
in steps of which each leaves every one of those tests passing, and last remove what is no longer used."""


def instructions(mode: Mode) -> str:
    """The planner's instructions for this mode."""
    return _TASK + {"feature": "", "regenerate": "\n" + _REGENERATE, "legacy_regeneration": "\n" + _LEGACY}[mode]
