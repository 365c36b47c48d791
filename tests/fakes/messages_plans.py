"""A small repository, and a plan for it that holds."""

from typing import Any

from repowright_tools.models import Plan

FILES = {
    "README.md": "# Shop\n",
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n\n[tool.pytest.ini_options]\n',
    "src/shop/__init__.py": "",
    "src/shop/basket.py": "class Basket:\n    def total(self) -> int:\n        return 0\n",
    "src/shop/prices.py": "def price_of(name: str) -> int:\n    return len(name)\n",
    "tests/test_basket.py": "from shop.basket import Basket\n\n\ndef test_total():\n    assert Basket().total() == 0\n",
    ".github/workflows/ci.yml": "on: push\n",
}


def task(name: str = "T1", **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "title": f"Do {name}",
        "description": "As the request says.",
        "files_to_modify": ["src/shop/basket.py"],
        "new_files_needed": [],
        "symbols": ["Basket.total"],
        "depends_on": [],
        "covers": ["R1"],
    } | changes


def plan_json(*tasks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A plan of these tasks (else one that changes the basket), whose lists of files are those of its tasks."""
    steps = tasks or (task(),)
    new = sorted({path for step in steps for path in step["new_files_needed"]})
    modified = sorted({path for step in steps for path in step["files_to_modify"]} - set(new))
    return {
        "summary": "Give baskets a discount.",
        "complexity": 2,
        "requirements": [{"id": "R1", "text": "A basket has a discount."}],
        "acceptance": [{"id": "A1", "requirement": "R1", "check": {"kind": "test", "value": "tests/test_basket.py"}}],
        "tasks": list(steps),
        "files_to_modify": modified,
        "new_files_needed": new,
        "dependencies": [],
        "risks": [{"text": "Rounding.", "severity": "low", "mitigation": "Integers."}],
        "test_plan": "Run the tests.",
        "estimated_time_minutes": 30,
        "rollback": "Revert the commit.",
        "questions": [{"text": "How much?", "default": "10 %"}],
    } | changes


def plan(*tasks: dict[str, Any], **changes: Any) -> Plan:
    return Plan.model_validate(plan_json(*tasks, **changes))
