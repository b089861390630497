"""The floors of the design, read from the imports: a room imports only from lower floors."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOORS = (
    ("core",),
    ("nn", "optim", "data"),
    ("augment", "models", "losses", "metrics"),
    ("tasks", "convert"),
    ("evals", "latent", "show"),
    ("train",),
    ("studies", "export"),
    ("live",),
    ("commands",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
HOST = re.compile(
    r"fergen(\.(main|data\b.*|core\.(errors|paths|config|record|clock|lineage|flags|arrays)|export\.(runtime|flow_sampler)))?"
)
NETWORKS = re.compile(r"fergen\.(nn|models)\b.*")
OURS = ("fergen", "configs", "launch")
ACCELERATED = {"jax", "jaxlib", "flax", "optax", "orbax"}
BANNED = {"torch", "torchvision", "tensorflow", "keras"}
VAGUE = {"util", "utils", "helper", "helpers", "misc", "common"}
# The names under which declared distributions are imported; jaxlib and ml_dtypes come with jax, etils with tfds.
IMPORTED_AS = {
    "onnx": ["onnx", "google"],
    "umap-learn": ["umap"],
    "orbax-checkpoint": ["orbax"],
    "pillow": ["PIL"],
    "opencv-python-headless": ["cv2"],
    "scikit-learn": ["sklearn"],
    "jax": ["jax", "jaxlib", "ml_dtypes"],
    "tensorflow-datasets": ["tensorflow_datasets", "etils"],
}
TOP = {"pyproject.toml", "fergen", "configs", "launch", "tests", "README.md", "LICENSE", "CHANGELOG.md"}


def modules(root: Path) -> dict[str, Path]:
    """Return every module of fergen, configs and launch by its dotted name."""
    files = [p for top in OURS for p in sorted((root / top).rglob("*.py"))]
    return {".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): p for p in files}


def imports(name: str, path: Path, known: set[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, module) of every import in a file, wherever it stands, import_module of a literal included."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                # `from fergen.core import config` imports a module, `from fergen.main import main` does not.
                whole = f"{base}.{alias.name}"
                yield node.lineno, base if base.split(".")[0] in OURS and whole not in known else whole
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            text = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield node.lineno, text.value.rstrip(".")


def room_of(module: str) -> str | None:
    """Return a module's room; main belongs to the commands, fergen itself to none."""
    parts = module.split(".")
    if parts[0] != "fergen" or len(parts) == 1:
        return None
    return "commands" if parts[1] == "main" else parts[1]


def breaches(root: Path) -> list[str]:
    """Return what breaks the design in a tree, one line each."""
    found = modules(root)
    known = {".".join(name.split(".")[:depth]) for name in found for depth in range(1, 9)}
    edges = {name: list(imports(name, path, known)) for name, path in found.items()}
    declared, extras = third_party(root)
    lines = []
    for name, path in found.items():
        tree = ast.parse(path.read_text())
        if not ast.get_docstring(tree) and not (path.name == "__init__.py" and not tree.body):
            lines.append(f"{name}: no docstring")
        if VAGUE & set(name.split(".")):
            lines.append(f"{name}: a name that says nothing")
        room = room_of(name)
        if room and room not in FLOOR:
            lines.append(f"{name}: the room '{room}' stands on no floor")
            continue
        for line, target in edges[name]:
            at, top, other = f"{name}:{line} imports {target}", target.split(".")[0], room_of(target)
            if top in BANNED:
                lines.append(f"{at}: never at run time")
            elif top in ("launch", "tests") and not name.startswith("launch"):
                lines.append(f"{at}: never from there")
            elif name.startswith("configs") and top not in {*sys.stdlib_module_names, "ml_collections", "configs"}:
                lines.append(f"{at}: a config imports ml_collections, the standard library and configs")
            elif room and top == "configs":
                lines.append(f"{at}: configs are loaded by name")
            elif room and other and other != room and FLOOR.get(other, 99) >= FLOOR[room]:
                lines.append(f"{at}: floor {FLOOR[room]} imports from floor {FLOOR.get(other)}")
            elif target.startswith("flax.linen") and not NETWORKS.fullmatch(name):
                lines.append(f"{at}: only nn and models import flax.linen")
            elif name == "fergen.core.arrays" and top not in {*sys.stdlib_module_names, "numpy", "jaxtyping"}:
                lines.append(f"{at}: the image contract needs numpy and jaxtyping alone")
            elif top in extras and line in {n.lineno for n in tree.body}:
                lines.append(f"{at}: what an extra brings is imported where it is used")
            elif top not in declared | extras:
                lines.append(f"{at}: pyproject does not declare it")
        if HOST.fullmatch(name):
            lines += [f"{name} loads {way[-1]} by {' > '.join(way)}" for way in ways_to_jax(name, edges)]
    return lines + commands_without(found, "fergen.commands", {"HELP", "configure", "run"})


def ways_to_jax(name: str, edges: dict[str, list[tuple[int, str]]]) -> Iterator[list[str]]:
    """Yield the chains of imports by which a module loads jax; those that a verb makes when it runs are its own."""
    seen, open_ways = {name}, [[name]]
    while open_ways:
        way = open_ways.pop()
        for _, target in edges.get(way[-1], ()):
            if target.split(".")[0] in ACCELERATED:
                yield [*way, target]
            elif target not in seen and room_of(target) != "commands":
                seen.add(target)
                open_ways.append([*way, target])


def commands_without(found: dict[str, Path], folder: str, wanted: set[str]) -> list[str]:
    """Return the verbs that lack a part of a verb."""
    lines = []
    for name, path in found.items():
        if name.rpartition(".")[0] == folder:
            body = ast.parse(path.read_text()).body
            has = {node.name for node in body if isinstance(node, ast.FunctionDef)}
            targets = [t for n in body if isinstance(n, ast.Assign) for t in n.targets]
            targets += [n.target for n in body if isinstance(n, ast.AnnAssign)]
            has |= {target.id for target in targets if isinstance(target, ast.Name)}
            lines += [f"{name}: expected {part}" for part in sorted(wanted - has)]
    return lines


def third_party(root: Path) -> tuple[set[str], set[str]]:
    """Return the top-level names that the tree may import, and those that come with an extra of its users."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    extras = [text for name, listed in optional.items() if name not in ("test", "parity") for text in listed]

    def named(listed: list[str]) -> set[str]:
        distributions = [re.match(r"[\w.-]+", text)[0] for text in listed]
        return {name for d in distributions for name in IMPORTED_AS.get(d, [d.replace("-", "_")])}

    declared = named(project["dependencies"]) | set(sys.stdlib_module_names) | set(OURS)
    return declared, named(extras) - declared


def test_every_import_keeps_to_the_floors():
    assert len(modules(ROOT)) > 80
    assert breaches(ROOT) == []


# A file, what it holds, and what must be said of it.
PLANTED = [
    ("fergen/core/x.py", "from fergen.data import order", "floor 0 imports from floor 1"),
    ("fergen/data/x.py", "import fergen.augment.mix", "floor 1 imports from floor 2"),
    ("fergen/nn/x.py", "def f():\n    from fergen.optim.ema import ema_init", "floor 1 imports from floor 1"),
    ("fergen/losses/x.py", "from ..metrics import calibration", "floor 2 imports from floor 2"),
    ("fergen/evals/x.py", "import importlib\nm = importlib.import_module(f'fergen.train.{1}')", "floor 4 imports from"),
    ("fergen/evals/x.py", "from fergen import show", "floor 4 imports from floor 4"),
    ("fergen/train/x.py", "from fergen.main import main", "floor 5 imports from floor 8"),
    ("fergen/attic/x.py", "", "the room 'attic' stands on no floor"),
    ("fergen/tasks/x.py", "from flax import linen", "only nn and models import flax.linen"),
    ("fergen/train/x.py", "import flax.linen as nn", "only nn and models import flax.linen"),
    ("fergen/data/x.py", "if 1:\n    import jax.numpy as jnp", "fergen.data.x loads jax.numpy"),
    ("fergen/data/x.py", "from fergen.core.keys import named", "by fergen.data.x > fergen.core.keys > jax"),
    ("fergen/core/clock.py", "import optax", "fergen.core.clock loads optax"),
    ("fergen/core/arrays.py", "import einops", "numpy and jaxtyping alone"),
    ("fergen/main.py", "def f():\n    import jax", "fergen.main loads jax"),
    ("fergen/show/x.py", "import torch.nn", "never at run time"),
    ("launch/x.py", "import tensorflow as tf", "never at run time"),
    ("fergen/show/x.py", "import pandas", "pyproject does not declare it"),
    ("fergen/show/x.py", "import onnx", "what an extra brings is imported where it is used"),
    ("fergen/train/x.py", "from configs import a", "configs are loaded by name"),
    ("fergen/train/x.py", "import launch", "never from there"),
    ("configs/x.py", "import numpy", "a config imports ml_collections"),
    ("configs/x.py", "from fergen.core import errors", "a config imports ml_collections"),
    ("fergen/nn/utils.py", "", "a name that says nothing"),
    ("fergen/commands/x.py", "HELP = ''\ndef run(args): pass", "expected configure"),
]  # fmt: skip


@pytest.fixture
def tree(tmp_path):
    """A small tree without fault."""
    plain = {
        "fergen/__init__.py": "",
        "fergen/main.py": "from fergen import commands",
        "fergen/core/keys.py": "import jax\nimport numpy",
        "fergen/core/clock.py": "import time",
        "fergen/data/order.py": "from fergen.core import clock",
        "fergen/models/a.py": "import importlib\nfrom flax import linen as nn",
        "fergen/metrics/calibration.py": "",
        "fergen/show/grid.py": "from PIL import Image\nfrom fergen.data.order import x",
        "fergen/tasks/a.py": "import importlib\nm = importlib.import_module(f'fergen.models.{1}')",
        "fergen/commands/__init__.py": "",
        "fergen/commands/a.py": "import jax\nHELP: str = ''\ndef configure(parser): ...\ndef run(args): ...",
        "configs/a.py": "import ml_collections\nfrom configs.b import c",
        "configs/b.py": "import math",
        "launch/here.py": "from fergen.train import loop",
    }
    for name, text in plain.items():
        plant(tmp_path, name, text)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    return tmp_path


def plant(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'"""What it does."""\n{text}\n')


@pytest.mark.parametrize(("name", "text", "said"), PLANTED)
def test_a_planted_breach_is_found(tree, name, text, said):
    assert breaches(tree) == []
    plant(tree, name, text)
    lines = breaches(tree)
    assert any(said in line for line in lines), lines


def test_a_module_without_docstring_is_found(tree):
    (tree / "fergen/data/order.py").write_text("x = 1\n")
    assert breaches(tree) == ["fergen.data.order: no docstring"]


def test_top_level_holds_what_the_design_says():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = {Path(line).parts[0] for line in listed.stdout.splitlines()}
    assert {n for n in names if not n.startswith(".")} <= TOP
    assert TOP - {"launch"} <= names, "launch/ appears with its first executor"
    vague = [line for line in listed.stdout.splitlines() if VAGUE & {p.partition(".")[0] for p in Path(line).parts}]
    assert vague == []


def test_help_loads_nothing_heavy():
    """`fergen`, its main and the help of all verbs load no jax and no library of pictures or data."""
    program = """
import contextlib, io, sys
import fergen, fergen.main
with contextlib.redirect_stdout(io.StringIO()) as said:
    assert fergen.main.main(["--help"]) == 0
    for verb in fergen.main.verbs():
        try:
            fergen.main.main([verb, "--help"])
        except SystemExit as ended:
            assert ended.code == 0, verb
assert all(verb in said.getvalue() for verb in fergen.main.verbs())
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    heavy = {"matplotlib", "sklearn", "scipy", "cv2", "tensorflow_datasets", "grain", "tensorboardX"}
    assert not (ACCELERATED | BANNED | heavy) & set(done.stdout.split())
