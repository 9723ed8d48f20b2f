"""Every rejection that the listener can give, read off its source."""

import ast
from collections.abc import Iterator
from pathlib import Path


def found_rejections(folder: Path) -> list[tuple[tuple[int, int, int], str]]:
    """Return code and reason of each `Rejection(...)` in the modules of a folder.

    Where the reason is a name, what is assigned to it in that function, and what the
    function is called with.
    """
    found = set()
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for function, call in _calls(tree, "Rejection"):
            named = {each.arg: each.value for each in call.keywords}
            code = ast.literal_eval([named["code"], *_behind(tree, named["code"])][-1])
            scope = function or tree
            reasons = [named["reason"], *_behind(scope, named["reason"])]
            if function is not None:
                reasons += _handed_in(tree, function, named["reason"])
            found |= {(code, _text_of(reason)) for reason in reasons}
    return sorted((code, reason) for code, reason in found if reason)


def _behind(scope: ast.AST, said: ast.expr) -> list[ast.expr]:
    """Return the expressions that a name, or a choice between two, may stand for."""
    match said:
        case ast.IfExp(body=one, orelse=other):
            first = [one, other]
        case ast.Name(id=name):
            first = [
                node.value
                for node in ast.walk(scope)
                if isinstance(node, ast.Assign)
                and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
            ]
        case _:
            first = []
    return [*first, *(found for each in first for found in _behind(scope, each))]


def _handed_in(
    tree: ast.AST, function: ast.FunctionDef, said: ast.expr
) -> list[ast.expr]:
    """Return what the first parameter of a function is called with, if it is said."""
    parameters = function.args.args
    if not (isinstance(said, ast.Name) and parameters and parameters[0].arg == said.id):
        return []
    return [call.args[0] for _, call in _calls(tree, function.name) if call.args]


def _calls(
    tree: ast.AST, name: str, within: ast.FunctionDef | None = None
) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
    """Yield each call of a name with the function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        inside = node if isinstance(node, ast.FunctionDef) else within
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and isinstance(called, ast.Name):
            yield from [(inside, node)] if called.id == name else []
        yield from _calls(node, name, inside)


def _text_of(node: ast.expr) -> str:
    """Return a text of the source, what is filled in as an ellipsis."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text_of(part) for part in parts)
        case ast.FormattedValue():
            return "…"
        case _:
            return ""
