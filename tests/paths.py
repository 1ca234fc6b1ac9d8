"""Where the tests find the project and its recordings."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
ESL = ROOT / "tests" / "data" / "esl"
CALLS = ESL / "calls"
DETAILS = ESL / "details"
CASES = ROOT / "tests" / "data" / "cases"
PROTOCOL = ESL / "protocol"
