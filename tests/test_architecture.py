"""The order of the rooms, held by reading every import of the package."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import charrnn_cli

PACKAGE = "charrnn_cli"
ROOT = Path(charrnn_cli.__file__).parent

# Top to bottom. A room may import from the rooms below its line and from itself, nothing else;
# rooms on one line do not know each other.
ORDER = (
    ("__main__",),
    ("cli",),
    ("commands", "api"),
    ("training",),
    ("export",),
    ("scoring",),
    ("sampling", "inspection", "units", "attention"),
    ("terminal",),
    ("checkpoints",),
    ("models",),
    ("text",),
    ("settings",),
    ("environment", "formatting"),
    ("errors",),
    (PACKAGE,),  # the version
)
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}


class Import(NamedTuple):
    """One module of the package that another imports; names without `charrnn_cli.`."""

    importer: str
    imported: str
    when_loaded: bool  # false inside a function, and under `if TYPE_CHECKING`


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or PACKAGE


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports_of(importer: str, source: str, is_package: bool = False) -> set[Import]:
    """What a module imports from the package, wherever in its source the import stands."""
    found = set()

    def add(target: str, names: list[str], when_loaded: bool) -> None:
        if target.split(".")[0] != PACKAGE:
            return
        module = target.removeprefix(PACKAGE).removeprefix(".")
        for name in names or [""]:
            submodule = f"{module}.{name}".strip(".")
            imported = submodule if submodule in FILES else module or PACKAGE
            found.add(Import(importer, imported, when_loaded))

    def visit(node: ast.AST, when_loaded: bool) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                add(alias.name, [], when_loaded)
        elif isinstance(node, ast.ImportFrom):
            target = node.module or ""
            if node.level:
                own = [PACKAGE, *importer.split(".")]
                own = own[: len(own) - node.level + is_package]
                target = ".".join([*own, target]).strip(".")
            add(target, [alias.name for alias in node.names], when_loaded)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                visit(child, False)
            for child in node.orelse:
                visit(child, when_loaded)
            return
        in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, when_loaded and not in_function)

    visit(ast.parse(source), True)
    return found


IMPORTS = {
    one
    for name, path in FILES.items()
    for one in imports_of(name, path.read_text("utf-8"), path.name == "__init__.py")
}


def room_of(module: str) -> str:
    return module.split(".")[0]


def points_downwards(one: Import) -> bool:
    importer, imported = room_of(one.importer), room_of(one.imported)
    if (importer, imported) == (PACKAGE, "api"):  # what `import charrnn_cli` offers
        return not one.when_loaded
    return importer == imported or LEVEL[importer] < LEVEL[imported]


def test_the_order_names_every_room_once_and_no_other():
    rooms = [room for line in ORDER for room in line]
    assert sorted(rooms) == sorted({room_of(name) for name in FILES})


def test_no_import_points_upwards():
    offenders = {(one.importer, one.imported) for one in IMPORTS if not points_downwards(one)}
    assert offenders == set(), "these imports point upwards or sideways"


def test_no_two_modules_import_each_other_in_a_circle():
    graph: dict[str, set[str]] = {name: set() for name in FILES}
    for one in IMPORTS:
        if one.when_loaded:
            graph[one.importer].add(one.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("imported in a circle: " + " <- ".join(error.args[1]))


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for path in FILES.values()}
    assert {folder for folder in folders if not (folder / "__init__.py").is_file()} == set()


@pytest.mark.parametrize(
    "name", [name for name, path in FILES.items() if path.name == "__init__.py"]
)
def test_a_package_holds_a_docstring_and_nothing_else(name):
    docstring, *rest = ast.parse(FILES[name].read_text("utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
    assert isinstance(docstring.value.value, str)
    if name != PACKAGE:  # the top package also offers `load` and `train`, imported on first use
        assert rest == []


@pytest.mark.parametrize(
    ("source", "imported", "when_loaded"),
    [
        ("import charrnn_cli.errors", "errors", True),
        ("from charrnn_cli.errors import UsageError", "errors", True),
        ("from charrnn_cli import errors", "errors", True),
        ("from charrnn_cli import __version__", PACKAGE, True),
        ("from charrnn_cli.text import reader", "text.reader", True),
        ("from . import reader", "text.reader", True),
        ("from .reader import open_text", "text.reader", True),
        ("from ..errors import UsageError", "errors", True),
        ("class A:\n    from charrnn_cli import errors", "errors", True),
        ("try:\n    import charrnn_cli.errors\nexcept ImportError: pass", "errors", True),
        ("def f():\n    import charrnn_cli.errors", "errors", False),
        ("class A:\n    async def f(self):\n        import charrnn_cli.errors", "errors", False),
        ("if TYPE_CHECKING:\n    import charrnn_cli.errors", "errors", False),
        ("if typing.TYPE_CHECKING: pass\nelse:\n    import charrnn_cli.errors", "errors", True),
    ],
)
def test_an_import_is_found_in_whatever_form_it_is_written(source, imported, when_loaded):
    assert imports_of("text.corpus", source) == {Import("text.corpus", imported, when_loaded)}
