"""The source of some of the toolkit's functions and classes, with all that they use, as one text.

Only what is reached is taken: of a module its used definitions, of a class its used methods.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
OURS = PACKAGE.name
TRAINING_AIDS = ("mended",)  # decorators that matter to a network of this package alone
REMARK = re.compile(r"  # (noqa|type): .*$", re.MULTILINE)  # what only our own linters read
Name = tuple[str, str]
"""A module, and a name that it defines at its top level."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module's lines, what it defines (by name, in order), and where its other names are from."""

    lines: tuple[str, ...]
    defined: Mapping[str, tuple[ast.stmt, ...]]
    imported: Mapping[str, Name]


@cache
def module_at(name: str) -> Module:
    """The module `neptune_nas....`, read as text."""
    text = (PACKAGE.parent / (name.replace(".", "/") + ".py")).read_text(encoding="utf-8")
    body = ast.parse(text).body
    return Module(tuple(text.splitlines()), dict(definitions(body)), dict(imports(body)))


def definitions(body: list[ast.stmt]) -> Iterator[tuple[str, tuple[ast.stmt, ...]]]:
    """Each top-level function, class and constant; a string behind a constant belongs to it."""
    for statement, after in zip(body, [*body[1:], None], strict=True):
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, (statement,)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                remark = [after] if after and is_text(after) else []
                yield name, (statement, *remark)


def imports(body: list[ast.stmt]) -> Iterator[tuple[str, Name]]:
    """Each imported name with its module and its name there ("" for the module itself)."""
    for statement in body:
        for alias in getattr(statement, "names", []):
            name = alias.asname or alias.name
            match statement:
                case ast.Import():
                    yield name, (alias.name, "")
                case ast.ImportFrom(module=str(module)):
                    yield name, (module, alias.name)


def is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a string and nothing else."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@dataclass(frozen=True, slots=True)
class Reached:
    """What some code needs: our definitions, other packages' names, and names of attributes.

    `outside`: by the name in the code, the module and the name there.
    """

    names: frozenset[Name]
    outside: frozenset[tuple[str, Name]]
    attributes: frozenset[str]


def reach(roots: Iterable[Name], tables: Mapping[str, frozenset[str]]) -> Reached:
    """All that `roots` need, and they themselves.

    `tables`: for a constant that is a dict, by its name, the keys that are used.
    """
    found = Reached(frozenset(), frozenset(), frozenset())
    while True:
        again = reach_with(tuple(roots), found.attributes, tables)
        if again == found:
            return found
        found = again


def reach_with(
    roots: tuple[Name, ...], attributes: frozenset[str], tables: Mapping[str, frozenset[str]]
) -> Reached:
    """The same if no methods but those called `attributes` are used."""
    names, outside, used = set[Name](), set[tuple[str, Name]](), set(attributes)
    waiting = [*roots]
    while waiting:
        name = waiting.pop()
        if name in names:
            continue
        names.add(name)
        module = module_at(name[0])
        for node in code(name, attributes, tables):
            if isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.Name) and node.id in module.defined:
                waiting.append((name[0], node.id))
            elif isinstance(node, ast.Name) and node.id in module.imported:
                origin = module.imported[node.id]
                ours = origin[0].partition(".")[0] == OURS
                if ours:
                    waiting.append(origin)
                else:
                    outside.add((node.id, origin))
    return Reached(frozenset(names), frozenset(outside), frozenset(used))


def code(
    name: Name, attributes: frozenset[str], tables: Mapping[str, frozenset[str]]
) -> Iterator[ast.AST]:
    """Every node of a definition, without what is left out of it."""
    left_out = {id(part) for part in unused(name, attributes, tables)}
    waiting: list[ast.AST] = [*module_at(name[0]).defined[name[1]]]
    while waiting:
        node = waiting.pop()
        if id(node) not in left_out:
            yield node
            waiting.extend(ast.iter_child_nodes(node))


def unused(
    name: Name, attributes: frozenset[str], tables: Mapping[str, frozenset[str]]
) -> list[ast.stmt | ast.expr]:
    """Methods of a class that nothing calls, unused values of a table, decorators for training."""
    statement = module_at(name[0]).defined[name[1]][0]
    if isinstance(statement, ast.FunctionDef):
        return [each for each in statement.decorator_list if ast.unparse(each) in TRAINING_AIDS]
    if isinstance(statement, ast.ClassDef):
        return [
            part
            for part in statement.body
            if isinstance(part, ast.FunctionDef)
            and not (part.name.startswith("__") or part.name in attributes | {"forward"})
        ]
    value = getattr(statement, "value", None)
    if name[1] in tables and isinstance(value, ast.Dict):
        return [
            entry
            for key, entry in zip(value.keys, value.values, strict=True)
            if isinstance(key, ast.Constant) and key.value not in tables[name[1]]
        ]
    return []


def source_of(reached: Reached, tables: Mapping[str, frozenset[str]]) -> str:
    """The definitions, each after those of the modules that its own one imports."""
    modules = in_order({module for module, _ in reached.names})
    texts = [
        text_of((module, name), reached.attributes, tables)
        for module in modules
        for name in module_at(module).defined
        if (module, name) in reached.names
    ]
    return spaced(texts)


def in_order(modules: Iterable[str]) -> list[str]:
    """Modules of ours, each after those that it imports."""
    found: dict[str, None] = {}
    for module in sorted(modules):
        origins = {origin for origin, _ in module_at(module).imported.values()}
        before = sorted(o for o in origins if o.startswith(f"{OURS}."))
        found.update(dict.fromkeys([*in_order(before), module]))
    return [*found]


def text_of(name: Name, attributes: frozenset[str], tables: Mapping[str, frozenset[str]]) -> str:
    """A definition's own lines, without what is left out of it."""
    module = module_at(name[0])
    left_out = {
        line for part in unused(name, attributes, tables) for line in lines_of(part, module.lines)
    }
    statements = module.defined[name[1]]
    first, last = first_line(statements[0]), statements[-1].end_lineno
    assert last is not None
    kept = (module.lines[i - 1] for i in range(first, last + 1) if i not in left_out)
    return REMARK.sub("", "\n".join(kept).rstrip())


def lines_of(part: ast.stmt | ast.expr, lines: tuple[str, ...]) -> range:
    """The lines of a part, and the empty one before it."""
    assert part.end_lineno is not None
    first = first_line(part)
    return range(first - (not lines[first - 2].strip()), part.end_lineno + 1)


def first_line(part: ast.stmt | ast.expr) -> int:
    """Where a part begins, its decorators included."""
    decorators: list[ast.expr] = getattr(part, "decorator_list", [])
    return min(node.lineno for node in (part, *decorators))


def spaced(texts: Iterable[str]) -> str:
    """The definitions with two empty lines around functions and classes, none between constants."""
    result, block_before = "", False
    for text in texts:
        block = text.startswith(("def ", "class ", "@"))
        gap = "\n\n\n" if block or block_before else "\n"
        result += (gap if result else "") + text
        block_before = block
    return result


def import_lines(outside: Iterable[tuple[str, Name]]) -> str:
    """The import statements for names of other packages, the standard library's first."""
    whole, parts = set[str](), dict[str, list[str]]()
    for name, (module, original) in outside:
        if not original:
            whole.add(f"import {module}" if name == module else f"import {module} as {name}")
        else:
            text = original if name == original else f"{original} as {name}"
            parts.setdefault(module, []).append(text)
    lines = [
        *sorted(whole),
        *(f"from {m} import {', '.join(sorted(parts[m]))}" for m in sorted(parts)),
    ]
    torch = [line for line in lines if line.split()[1].partition(".")[0] == "torch"]
    standard = [line for line in lines if line not in torch]
    return "\n\n".join("\n".join(block) for block in (standard, torch) if block)
