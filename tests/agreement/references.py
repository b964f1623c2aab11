"""What reference tools print: each function here runs one on a folder and gives (tool and version, [Measured])."""

import ast
import collections
import csv
import glob
import io
import json
import os
import re
import shutil
import subprocess
import sys

# `line_is_inside`: the tool's line is somewhere in the function (its name, its first modifier), not its first line.
Measured = collections.namedtuple("Measured", "path name line value line_is_inside", defaults=[False])


class Unavailable(Exception):
    """The tool or the code cannot be had here."""


def files(folder, *endings):
    found = []
    for root, _, names in os.walk(folder):
        found += [os.path.join(root, name) for name in names if name.endswith(endings)]
    return sorted(found)


def radon(folder, work):
    output = subprocess.run([sys.executable, "-m", "radon", "cc", "-j", "--show-closures", folder], check=True, capture_output=True).stdout
    found = []
    for path, blocks in json.loads(output).items():
        if isinstance(blocks, dict):
            continue
        seen = set()
        for block in flat(blocks):
            key = (block["lineno"], block["col_offset"])
            if block["type"] != "class" and key not in seen:
                seen.add(key)
                found.append(Measured(os.path.relpath(path, folder), block["name"].split(".")[-1], block["lineno"], block["complexity"]))
    return "radon 6.0.1", found


def flat(blocks):
    for block in blocks:
        yield block
        yield from flat(block.get("closures", []))
        yield from flat(block.get("methods", []))


def python_functions(folder):
    for path in files(folder, ".py"):
        try:
            with open(path, encoding="utf-8") as file:
                tree = ast.parse(file.read())
        except (SyntaxError, ValueError, RecursionError):
            continue
        yield os.path.relpath(path, folder), tree


def cognitive_complexity(folder, work):
    """Functions with nothing nested, and without recursion, which is apart here."""
    from cognitive_complexity.api import get_cognitive_complexity
    from cognitive_complexity.utils.ast import has_recursive_calls

    found = []
    for path, tree in python_functions(folder):
        for function in top_functions(tree):
            if not nests(function):
                value = get_cognitive_complexity(function) - has_recursive_calls(function)
                found.append(Measured(path, function.name, function.lineno, value))
    return "cognitive-complexity 1.3.0", found


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def top_functions(tree):
    todo = list(ast.iter_child_nodes(tree))
    while todo:
        node = todo.pop(0)
        if isinstance(node, FUNCTIONS):
            yield node
        else:
            todo = list(ast.iter_child_nodes(node)) + todo


def nests(function):
    inner = (node for child in function.body for node in ast.walk(child))
    return any(isinstance(node, FUNCTIONS + (ast.Lambda, ast.ClassDef)) for node in inner)


def complexipy(folder, work):
    import complexipy as tool

    found = []
    for path, tree in python_functions(folder):
        plain = {}
        for function in top_functions(tree):
            if not nests(function):
                plain.setdefault(function.name, []).append(function.lineno)
        for function in tool.file_complexity(os.path.join(folder, path)).functions:
            name = function.name.split("::")[-1]
            lines = [line for line in plain.get(name, []) if function.line_start <= line <= function.line_end]
            if len(lines) == 1:
                found.append(Measured(path, name, lines[0], function.complexity))
    return "complexipy 8.3.0", found


def lizard(folder, work):
    output = subprocess.run([sys.executable, "-m", "lizard", "--csv", folder], capture_output=True, text=True).stdout
    found = []
    csv.field_size_limit(1 << 24)
    for row in csv.reader(io.StringIO(output)):
        name = row[7]
        if not re.search(r"[A-Za-z_$]\w*$", name) or "anonymous" in name:
            continue
        found.append(Measured(os.path.relpath(row[6], folder), name, int(row[9]), int(row[1]), True))
    return "lizard 1.24.3", found


def eslint(folder, work):
    tool = eslint_folder(work)
    script = os.path.join(os.path.dirname(__file__), "eslint.mjs")
    shutil.copy(script, os.path.join(tool, "eslint.mjs"))
    output = need("node", ["node", os.path.join(tool, "eslint.mjs"), folder])
    rows = json.loads(output)
    return f"ESLint {rows['version']} complexity", [
        Measured(os.path.relpath(row["path"], folder), None, row["line"], row["complexity"]) for row in rows["functions"]
    ]


def typescript_functions(folder, work):
    """Every function with a body: (path, first line, last line)."""
    tool = eslint_folder(work)
    shutil.copy(os.path.join(os.path.dirname(__file__), "found.mjs"), os.path.join(tool, "found.mjs"))
    output = json.loads(need("node", ["node", os.path.join(tool, "found.mjs"), folder]))
    found = [(os.path.relpath(row["path"], folder), row["line"], row["end"]) for row in output["functions"]]
    return f"TypeScript {output['version']}", found, files(folder, ".ts", ".mts", ".cts", ".tsx")


def ctags_functions(folder, work):
    """Every function of the files that end with .c: (path, name, last line). ctags takes macros for names here and there."""
    paths = files(folder, ".c")
    output = need("ctags", ["ctags", "--languages=C", "--kinds-C=f", "--fields=+ne", "--output-format=json", "-f", "-", "-L", "-"], input="\n".join(paths))
    rows = [json.loads(line) for line in output.splitlines()]
    return "universal-ctags", [(os.path.relpath(row["path"], folder), row["name"], row.get("end")) for row in rows], paths


def eslint_folder(work):
    tool = os.path.join(work, "eslint")
    if not os.path.isdir(os.path.join(tool, "node_modules/eslint")):
        os.makedirs(tool, exist_ok=True)
        need("npm", ["npm", "install", "--silent", "--prefix", tool, "eslint@10.0.0", "@typescript-eslint/parser@8.56.0", "typescript@5.9.3"])
    return tool


def gocyclo(folder, work):
    """gocyclo itself where it is installed; else its rule over Go's own parser."""
    if shutil.which("gocyclo"):
        output = need("gocyclo", ["gocyclo", folder], ok=(0, 1))
        tool = "gocyclo"
    else:
        binary = os.path.join(work, "gocyclo-rule")
        source = os.path.join(os.path.dirname(__file__), "gocyclo_rule.go")
        need("go", ["go", "build", "-o", binary, source], env=dict(os.environ, GO111MODULE="off", GOCACHE=os.path.join(work, "gocache")))
        output = need("gocyclo-rule", [binary, folder])
        tool = "go/ast, by gocyclo's rule"
    found = []
    for line in output.splitlines():
        value, _, rest = line.split(" ", 2)
        name, place = rest.rsplit(" ", 1)
        path, row, _ = place.rsplit(":", 2)
        found.append(Measured(os.path.relpath(path, folder), name.split(".")[-1], int(row), int(value)))
    return tool, found


def checkstyle(folder, work):
    config = os.path.join(os.path.dirname(__file__), "checkstyle.xml")
    output = need("checkstyle", ["checkstyle", "-c", config, folder], ok=range(256))
    found = []
    for line in output.splitlines():
        match = re.match(r"\[ERROR\] (.*?):(\d+)(?::\d+)?: Cyclomatic Complexity is (\d[\d,.]*)", line)
        if match:
            path, row, value = match.groups()
            found.append(Measured(os.path.relpath(path, folder), None, int(row), int(re.sub(r"\D", "", value)), False))
    return "Checkstyle 8.36.1", found


def pmccabe(folder, work):
    """The traditional number, where each case counts. No name where pmccabe takes a macro for it."""
    found = []
    paths = files(folder, ".c", ".h")
    for start in range(0, len(paths), 200):
        output = need("pmccabe", ["pmccabe", *paths[start : start + 200]], ok=range(256))
        for line in output.splitlines():
            match = re.match(r"\d+\t(\d+)\t\d+\t\d+\t\d+\t(.*?)\((\d+)\): (.*)$", line)
            if match:
                value, path, row, name = match.groups()
                if re.fullmatch(r"__declspec|[A-Z0-9_]+", name.split("::")[-1]):
                    name = None
                found.append(Measured(os.path.relpath(path, folder), name, int(row), int(value), True))
    return "pmccabe 2.8", found


def bca_cyclomatic(folder, work):
    return bca(folder, work, lambda metrics: metrics["cyclomatic"]["value"])


def bca_cognitive(folder, work):
    return bca(folder, work, lambda metrics: metrics["cognitive"]["value"])


def bca(folder, work, value):
    tool = os.path.join(os.path.dirname(sys.executable), "bca")
    output = os.path.join(work, "bca.json")
    need("bca", [tool, "metrics", "--no-config", "-O", "json", "-o", output, folder], ok=range(256))
    with open(output, encoding="utf-8") as file:
        measured = json.load(file)
    found = []
    for file in measured:
        todo = [file]
        while todo:
            space = todo.pop()
            todo += space["spaces"]
            if space["kind"] == "function":
                name = space["name"] if re.match(r"\w+$", space["name"] or "") else None
                found.append(Measured(os.path.relpath(file["name"], folder), name, space["start_line"], round(value(space["metrics"]))))
    return "big-code-analysis 2.4.0", found


def need(what, words, ok=(0,), **more):
    if not shutil.which(words[0]):
        raise Unavailable(f"{what} is not installed")
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", **more)
    if done.returncode not in ok:
        raise Unavailable(f"{what} failed: {done.stderr.strip()[-300:]}")
    return done.stdout
