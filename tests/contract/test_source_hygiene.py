"""What no file may contain: unfinished work, silenced failures, stray output, disabled certificate checks."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.contract.source import EVERYTHING, ROOT, SHIPPED, Module, all_imports, modules, receiver

UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
SILENCED = re.compile(r"#\s*(no" + r"qa|type:\s*ignore)")
REASONED = re.compile(r"#\s*(no" + r"qa|type:\s*ignore)(:\s*[A-Z0-9, ]+|\[[a-z0-9, -]+\])?\s*(#|-)\s*\w+")
MACHINE = re.compile(r"/(work|root|home/[a-z]+)/(main|shared|\.venv|\.pyenv)\b")
HTTP = ("httpx", "requests", "aiohttp", "websockets", "urllib3")
UNVERIFIED = {
    "dsmilctl/client/remote/tls.py": "the option verify_ssl of the SDK: only when asked for, and logged",
    "tests/client/test_doors.py": "the test of that option",
}
"""Where a certificate may go unverified, and why."""
MAY_WRITE = {"stdout": "dsmilctl/stdout.py", "stderr": "dsmilctl/diagnostics.py"}


def test_nothing_is_left_unfinished() -> None:
    assert lines_like(UNFINISHED) == []


def test_a_silenced_check_says_why_beside_it() -> None:
    assert set(lines_like(SILENCED)) - set(lines_like(REASONED)) == set()


def test_no_handler_is_bare_and_one_of_every_exception_says_why_beside_it() -> None:
    found = [
        module.at(node)
        for module, node in handlers(EVERYTHING)
        if node.type is None
        or (
            catches(node.type, "Exception", "BaseException")
            and not raises_again(node)
            and "#" not in module.line(node)
        )
    ]

    assert found == []


def test_an_exception_swallowed_on_purpose_says_why() -> None:
    found = [
        module.at(node)
        for module, node in handlers(SHIPPED)
        if swallows(node) and not explained(module, node) and not only_an_import(node)
    ]

    assert found == []


def test_only_output_writes_stdout_and_only_diagnostics_writes_stderr() -> None:
    found = [
        f"{module.at(node)} {name}"
        for module in modules(SHIPPED)
        for node, name in streams(module)
        if module.path != MAY_WRITE.get(name)
    ]

    assert found == []


def test_no_certificate_check_is_switched_off() -> None:
    found = [
        module.at(node)
        for module in modules(EVERYTHING)
        for speaks_http in [any(name.startswith(HTTP) for _, name in all_imports(module))]
        for node in module.nodes
        if switches_off(node, speaks_http=speaks_http) and module.path not in UNVERIFIED
    ]

    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import httpx; httpx.get(url, verify=False)",
        "import ssl; context.check_hostname = False",
        "import ssl; context.verify_mode = ssl.CERT_NONE",
        "import ssl; context = ssl._create_unverified_context()",
    ],
)
def test_every_way_to_switch_a_certificate_check_off_is_seen(line: str) -> None:
    assert [node for node in ast.walk(ast.parse(line)) if switches_off(node, speaks_http=True)]


def test_a_linked_folder_is_imported_by_one_name_only() -> None:
    found = [
        f"{module.at(node)} {name}"
        for module in modules(EVERYTHING)
        for node, name in all_imports(module)
        if name.split(".")[0] in ("commands", "tui")
    ]

    assert found == [], "import it as dsmilctl.commands or dsmilctl.tui: two names make two copies"


def test_no_committed_file_names_the_machine_that_it_was_written_on() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if not listed.stdout:
        pytest.skip("this machine has no git checkout here")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    files = [path for path in paths if path.is_file()]

    assert [str(path) for path in files if MACHINE.search(path.read_text(errors="replace"))] == []


def lines_like(pattern: re.Pattern[str]) -> list[str]:
    """Where a line matches, in every module."""
    return [
        module.at(number)
        for module in modules(EVERYTHING)
        if pattern.search(module.text)
        for number, line in enumerate(module.lines, 1)
        if pattern.search(line)
    ]


def handlers(folders: tuple[str, ...]) -> Iterator[tuple[Module, ast.ExceptHandler]]:
    for module in modules(folders):
        for node in module.nodes:
            if isinstance(node, ast.ExceptHandler):
                yield module, node


def catches(node: ast.expr, *wanted: str) -> bool:
    names = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(name, ast.Name) and name.id in wanted for name in names)


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether the handler only puts something right and lets the exception go on."""
    return any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))


def only_an_import(handler: ast.ExceptHandler) -> bool:
    """A package that is not there speaks for itself."""
    return handler.type is not None and catches(handler.type, "ImportError", "ModuleNotFoundError")


def switches_off(node: ast.AST, *, speaks_http: bool) -> bool:
    """Whether this is `verify=False` for a web client, or the same in the words of `ssl`."""
    if isinstance(node, ast.Assign):
        names = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
        return "check_hostname" in names and is_false(node.value)
    if isinstance(node, ast.keyword):
        return speaks_http and node.arg in ("verify", "verify_ssl", "ssl") and is_false(node.value)
    return isinstance(node, ast.Attribute) and node.attr in ("CERT_NONE", "_create_unverified_context")


def is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether nothing but `pass`, `continue` or a bare `return` stands in the handler."""
    first, *rest = handler.body
    bare_return = isinstance(first, ast.Return) and first.value is None
    return not rest and (bare_return or isinstance(first, ast.Pass | ast.Continue))


def explained(module: Module, handler: ast.ExceptHandler) -> bool:
    first, last = handler.lineno - 1, (handler.body[0].end_lineno or handler.lineno)
    return any("#" in line for line in module.lines[first:last])


def streams(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Every way to write to a standard stream: `sys.stdout.write`, `sys.stderr.buffer`, `print`, `input`."""
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr in ("write", "writelines", "buffer"):
            if receiver(node).strip("_") in MAY_WRITE:
                yield node, receiver(node).strip("_")
        elif isinstance(node, ast.Name) and node.id in ("print", "input"):
            yield node, node.id
