"""Everything a checkout can do, in one file that needs only Python 3.11 or 3.13.

    python build.py setup              make or refresh .venv, check the system's libraries
    python build.py demo [--human]     the whole job on a bundled dialogue; everything lands in out/
    python build.py test [PYTEST ARGS] lint and tests
    python build.py test --readers     exported files in Autodesk's SDK, assimp, three.js and Khronos' validator
    python build.py matrix [4.2 …]     the add-on's tests in each Blender it is made for
    python build.py bench [NAME...]    the benchmarks in tests/benchmarks
    python build.py zip [--out DIR]    the Blender extension, validated by Blender's own tool
    python build.py ui-test --blender 5.2|PROGRAM   the zip in a real Blender window; pictures in out/ui/
    python build.py runtime [--platform linux|windows|macos] [--out DIR]   wheels for a machine without a network
    python build.py lint               ruff: rules and format

Every command but `lint` runs `setup` first, which takes a moment once .venv is up to date.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PYTHONS = ("3.11", "3.13")  # those that Blender's Python module `bpy` is published for and A2P uses
THIS_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"

# Everything above, and the syntax of the whole file, is understood by older Pythons too, so that they get to say this.
if THIS_PYTHON not in PYTHONS:
    sys.exit(
        f"A2P needs Python 3.11 or 3.13, because Blender's own Python module exists only for these; "
        f"this is Python {THIS_PYTHON}. Install one of the two (from python.org or your package manager) "
        f"and use it instead, for example: python3.11 build.py setup"
    )

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "a2p-setup.json"
READER_OF_USD = "usd-core==26.11"

#: shared library to Debian package, for what bpy and its renderers load
DEBIAN = {
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libgomp.so.1": "libgomp1",
}


class Failure(Exception):
    """Something to tell in one sentence before leaving with exit code 1."""


# --- setup -----------------------------------------------------------------------------------------------------------


def setup() -> None:
    """Make `.venv` ready and tell the add-on where it is. Fast when nothing changed."""
    started = time.monotonic()
    wanted = _stamp()
    if not _is_current(wanted):
        _make_venv()
        _install()
        _check_libraries()
        STAMP.write_text(json.dumps(wanted), encoding="utf-8")
    file = write_worker_file()
    say(f"Ready in {time.monotonic() - started:.1f} s: {PYTHON} (Blender's add-on finds it through {file})")


def _stamp() -> dict[str, str]:
    """What `.venv` depends on. A venv with another stamp is brought up to date."""
    return {
        "python": THIS_PYTHON,
        "pyproject": hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()[:16],
        "root": str(ROOT),
    }


def _is_current(wanted: dict[str, str]) -> bool:
    try:
        return PYTHON.exists() and json.loads(STAMP.read_text(encoding="utf-8")) == wanted
    except (OSError, ValueError):
        return False


def _make_venv() -> None:
    """A venv of this Python's version; one of another version, or a broken one, is made anew."""
    if PYTHON.exists():
        found = subprocess.run(
            [PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        ).stdout.strip()
        if found == THIS_PYTHON:
            say("1/4 Bringing .venv up to date")
            return
        say(f"1/4 Making .venv anew for Python {THIS_PYTHON} (it held {found or 'nothing that runs'})")
    else:
        say(f"1/4 Making .venv with Python {THIS_PYTHON}")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True)
    if made.returncode:
        if "ensurepip" in made.stdout + made.stderr:
            raise Failure(
                f"This Python cannot make virtual environments; on Debian and Ubuntu: "
                f"sudo apt-get install python{THIS_PYTHON}-venv"
            )
        raise Failure(f"Could not make {VENV}: {(made.stderr or made.stdout).strip()}")


def _install() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["blender"], *extras["dev"], "setuptools"]
    say("2/4 Installing Blender's Python module, PyTorch and the rest (some GB the first time)")
    _pip("install", *wanted, what="Could not install what A2P needs; the lines above say why")
    say("3/4 Installing A2P itself from this folder")
    _pip("install", "-q", "--no-deps", "--no-build-isolation", "-e", ".", what="Could not install A2P into .venv")


def _pip(*arguments: str, what: str) -> None:
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise Failure(f"{what}.")


def _check_libraries() -> None:
    """Import Blender once. On Linux, every missing library is named with the package that holds it."""
    say("4/4 Checking that Blender's module starts")
    with tempfile.TemporaryDirectory() as profile:
        environment = {**os.environ, "BLENDER_USER_RESOURCES": profile}
        code = "import os, bpy; print(bpy.app.version_string, flush=True); os._exit(0)"
        tried = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, env=environment)
    missing = _missing_libraries() if sys.platform.startswith("linux") else []
    if missing:
        packages = sorted({DEBIAN[name] for name in missing if name in DEBIAN})
        # The Mesa drivers come as a package of their own that no library names.
        packages += ["libgl1-mesa-dri"] if "libegl1" in packages else []
        named = ", ".join(f"{name} ({DEBIAN.get(name, 'package unknown')})" for name in missing)
        raise Failure(
            f"System libraries are missing: {named}. On Debian and Ubuntu: "
            f"sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
        )
    if tried.returncode:
        lines = tried.stderr.strip().splitlines() or ["no message"]
        raise Failure(f"Blender's Python module does not start: {lines[-1]}")
    say(f"    Blender {tried.stdout.strip().splitlines()[-1]}")


def _missing_libraries() -> list[str]:
    """Shared libraries that bpy or its headless drawing load and the system does not have."""
    code = (
        "import ctypes, importlib.util\n"
        "print(importlib.util.find_spec('bpy').origin)\n"
        "try: ctypes.CDLL('libEGL.so.1')\n"
        "except OSError: print('libEGL.so.1 => not found')"
    )
    origin, *lines = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True).stdout.splitlines()
    if shutil.which("ldd"):
        lines += subprocess.run(["ldd", origin], capture_output=True, text=True).stdout.splitlines()
    return list(dict.fromkeys(line.split()[0] for line in lines if "not found" in line))


def config_file() -> Path:
    """The per-user file in which the add-on looks up the worker's Python."""
    if os.name == "nt":
        folder = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    else:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "a2p" / "worker.json"


def write_worker_file() -> Path:
    file, text = config_file(), json.dumps({"python": str(PYTHON)}, ensure_ascii=False)
    try:
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        say(f"Note: {file} could not be written ({error.strerror}); choose the worker's Python in the add-on.")
    return file


# --- commands --------------------------------------------------------------------------------------------------------


def demo(options: argparse.Namespace, _rest: list[str]) -> int:
    """The main job on bundled sound: clip, character, FBX, film and contact sheet under `out/`."""
    setup()
    out = Path(options.out).resolve()
    voice = ROOT / "a2p_core" / "assets" / ("human_line.flac" if options.human else "dialogue.flac")
    command = [PYTHON, "-m", "blender_addon.cli", "demo", "--voice", voice, "--out", out]
    command += [] if options.human else ["--stereo"]
    return _run(command)


def test(_options: argparse.Namespace, rest: list[str]) -> int:
    """ruff, then the two test folders, each in a process of its own (bpy stays out of the core's).

    `--readers` runs tests/readers alone: the exported files in programs that are not Blender.
    """
    setup()
    if "--readers" in rest:
        return _test_readers([argument for argument in rest if argument != "--readers"])
    failed = ["ruff"] if _run([PYTHON, "-m", "ruff", "check", "."]) else []
    for folder in ("tests/core", "tests/addon"):
        if not any((ROOT / folder).glob("test_*.py")):
            continue
        say(f"pytest {folder}")
        if _run([PYTHON, "-m", "pytest", folder, "--durations=5", *rest]):
            failed.append(folder)
    say(f"FAILED: {', '.join(failed)}" if failed else "All tests passed.")
    return 1 if failed else 0


def _test_readers(rest: list[str]) -> int:
    """Install the readers with npm under `build/`, once, and run their tests."""
    npm, folder = shutil.which("npm"), ROOT / "build" / "readers"
    if not npm:
        raise Failure("The readers come through npm, and npm is not installed; install Node.js 18 or later.")
    wanted = (ROOT / "tests" / "readers" / "package.json").read_bytes()
    package = folder / "package.json"
    if not (folder / "node_modules").is_dir() or package.read_bytes() != wanted:
        say("Installing the readers (70 MB)")
        folder.mkdir(parents=True, exist_ok=True)
        package.write_bytes(wanted)
        if subprocess.run([npm, "install", "--no-audit", "--no-fund"], cwd=folder).returncode:
            package.unlink()
            raise Failure("npm could not install the readers; the lines above say why.")
    usd = folder / "python"  # a folder of its own: beside Blender's build of the same library neither would load
    if not usd.is_dir() and _run([PYTHON, "-m", "pip", "install", "-q", "--no-deps", "--target", usd, READER_OF_USD]):
        shutil.rmtree(usd, ignore_errors=True)
        raise Failure("pip could not install the reader of USD; the lines above say why.")
    os.environ["A2P_READERS"] = str(folder / "node_modules")
    return _run([PYTHON, "-m", "pytest", "tests/readers", *rest])


def matrix(_options: argparse.Namespace, rest: list[str]) -> int:
    """The add-on's tests in Blender 4.2, 4.5, 5.0 and 5.2, or in those named; what follows `--` goes to pytest."""
    setup()
    import build_matrix

    cut = rest.index("--") if "--" in rest else len(rest)
    unknown = [version for version in rest[:cut] if version not in build_matrix.BLENDERS]
    if unknown:
        raise Failure(f"Unknown Blender {unknown[0]}; there are {', '.join(build_matrix.BLENDERS)}.")
    return build_matrix.run(ROOT, rest[:cut], rest[cut + 1 :], PYTHON)


def bench(_options: argparse.Namespace, rest: list[str]) -> int:
    """Call `run()`, which measures and prints, of every benchmark (or of the named ones), each in its own process."""
    setup()
    files = [f for f in sorted((ROOT / "tests" / "benchmarks").glob("[!_]*.py")) if not rest or f.stem in rest]
    if not files:
        raise Failure("There is no such benchmark in tests/benchmarks.")
    code = "import runpy, sys; runpy.run_path(sys.argv[1])['run'](); sys.stdout.flush()"
    results = []
    for file in files:
        say(f"bench {file.stem}")
        results.append(_run([PYTHON, "-c", code, file]))
    return max(results)


def build_zip(options: argparse.Namespace, _rest: list[str]) -> int:
    """The extension's zip, checked by Blender's own validator."""
    setup()
    code = (
        "import sys; from pathlib import Path; from build_extension import build_zip;"
        "print(build_zip(Path(sys.argv[1]), Path(sys.argv[2])))"
    )
    return _run([PYTHON, "-c", code, ROOT, Path(options.out).resolve()])


def ui_test(options: argparse.Namespace, _rest: list[str]) -> int:
    """A new user's first hour in a real window, from the zip alone. Skipped, with the reason, where there is none."""
    program = find_blender(options.blender)
    if program is None:
        say(
            f"Skipped: no Blender {options.blender}. Give its program with --blender, or name it in "
            f"A2P_BLENDER_{options.blender.replace('.', '_')}, or put it at build/blenders/{options.blender}/blender."
        )
        return 0
    setup()
    dist = ROOT / "build" / "ui"
    if build_zip(argparse.Namespace(out=dist), []):
        return 1
    out = ROOT / "out" / "ui" / Path(options.blender).name
    archive = max(dist.glob("a2p-*.zip"), key=lambda file: file.stat().st_mtime)
    command = [PYTHON, "-m", "tests.ui.story", "--blender", program, "--zip", archive, "--out", out]
    return _run(command)


def find_blender(wanted: str) -> str | None:
    """A path as it is; for a version such as 5.2 the program that A2P_BLENDER_5_2 names, build/blenders, or PATH."""
    if os.sep in wanted or Path(wanted).is_file():
        return str(Path(wanted).resolve()) if Path(wanted).is_file() else None
    places = [
        os.environ.get(f"A2P_BLENDER_{wanted.replace('.', '_')}"),
        ROOT / "build" / "blenders" / wanted / "blender",
    ]
    for place in filter(None, [*places, shutil.which(f"blender-{wanted}"), shutil.which("blender")]):
        if Path(place).is_file():
            told = subprocess.run([place, "--version"], capture_output=True, text=True).stdout
            if f"Blender {wanted}" in told:
                return str(place)
    return None


def runtime(options: argparse.Namespace, _rest: list[str]) -> int:
    """A folder of wheels from which the add-on makes its Python without a network."""
    out = Path(options.out).resolve() / f"a2p-runtime-{options.platform}-py{options.python}"
    setup()
    out.mkdir(parents=True, exist_ok=True)
    if _run([PYTHON, "-m", "pip", "download", *wheels_wanted(options.platform, options.python), "--dest", out]):
        raise Failure("The wheels could not be fetched; the lines above say why.")
    size = sum(file.stat().st_size for file in out.iterdir()) / 1e6
    say(f"{out}: {size:.0f} MB. Choose this folder in Preferences > Add-ons > A2P > Offline Wheels.")
    return 0


def wheels_wanted(platform: str, python: str) -> list[str]:
    """What pip is asked for: builds for the processor, a tenth of what those for graphics cards take."""
    table = json.loads((ROOT / "blender_addon" / "runtime.json").read_text(encoding="utf-8"))
    torch, *others = table["needs"]
    source = []
    if platform != "macos":
        torch, source = f"{torch}+cpu", ["--extra-index-url", table["cpu_index"]]
    tags = [word for tag in table["platforms"][platform] for word in ("--platform", tag)]
    return ["--only-binary", ":all:", "--python-version", python, *tags, *source, torch, *others]


def lint(_options: argparse.Namespace, _rest: list[str]) -> int:
    if not PYTHON.exists():
        setup()
    return _run([PYTHON, "-m", "ruff", "check", "."]) or _run([PYTHON, "-m", "ruff", "format", "--check", "."])


# --- plumbing --------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(f"[a2p] {text}", flush=True)


def _run(command: list[object]) -> int:
    """Run in the repository's root with its output on the screen; the exit code."""
    profile = ROOT / "build" / "blender"  # the user's own Blender settings stay untouched
    profile.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "BLENDER_USER_RESOURCES": str(profile)}
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=environment).returncode


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function, text in (
        ("setup", None, "make or refresh .venv"),
        ("demo", demo, "the whole job on a bundled dialogue, into out/"),
        ("test", test, "lint and tests; further arguments go to pytest"),
        ("matrix", matrix, "the add-on's tests in each Blender; versions choose some"),
        ("bench", bench, "the benchmarks; names choose some"),
        ("zip", build_zip, "the Blender extension"),
        ("ui-test", ui_test, "the zip in a real Blender window, pictures in out/ui"),
        ("runtime", runtime, "wheels for the add-on's own Python on a machine without a network"),
        ("lint", lint, "ruff: rules and format"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(function=function)
        if name == "demo":
            command.add_argument("--human", action="store_true", help="a recorded human line instead")
        if name in ("demo", "zip", "runtime"):
            command.add_argument("--out", default=str(ROOT / ("out" if name == "demo" else "dist")))
        if name == "runtime":
            command.add_argument("--platform", choices=("linux", "windows", "macos"), default="linux")
            command.add_argument("--python", default="3.11", help="the Python inside Blender: 3.11 to 5.0, then 3.13")
        if name == "ui-test":
            command.add_argument("--blender", default="5.2", help="a version, or the program's path")
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command not in ("test", "matrix", "bench"):
        parser.error(f"unknown argument: {' '.join(rest)}")
    try:
        if options.function is None:
            setup()
            return 0
        return options.function(options, rest)
    except Failure as failure:
        print(f"[a2p] {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("[a2p] Stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
