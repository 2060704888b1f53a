"""How large modules and functions are, and that each says what it is."""

from __future__ import annotations

import ast

from tests.contract.source import EVERYTHING, SHIPPED, functions, modules

MODULE_LINES = 400
FUNCTION_LINES = 50


def test_a_module_is_one_noun_of_at_most_400_lines() -> None:
    large = [
        f"{module.path} has {len(module.lines)} lines"
        for module in modules(EVERYTHING)
        if len(module.lines) > MODULE_LINES
    ]

    assert large == []


def test_a_function_does_one_thing_in_at_most_50_lines() -> None:
    long = [
        f"{module.at(function)} {function.name} has {length(function)} lines"
        for module in modules(EVERYTHING)
        for function in functions(module)
        if length(function) > FUNCTION_LINES
    ]

    assert long == []


def test_a_module_says_in_its_first_line_what_it_is() -> None:
    silent = [
        module.path
        for module in modules(SHIPPED)
        if not module.text.startswith('"""') or len(module.lines[0].split()) < 3
    ]

    assert silent == []


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring: a command's help text is not code."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total
