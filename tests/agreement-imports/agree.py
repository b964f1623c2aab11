"""Compares edges and symbols with reference tools, on code that the registries and the system provide.

Everything that is fetched stays below target/agreement-imports; CARGO_TARGET_DIR stands for target where it is set.
DEPENDENCIES and STRUCTURE in the environment are the commands that print our answer as JSON for a folder given in place
of PATH.
"""

import ast
import collections
import glob
import json
import os
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.path.abspath(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")))
WORK = os.path.join(TARGET, "agreement-imports")
PROGRAM = os.path.join(TARGET, "release", "mcp-code-analysis")
DEFAULT = PROGRAM + " analyze {} PATH --format json --limit 0"
DEPENDENCIES = os.environ.get("DEPENDENCIES", DEFAULT.format("dependencies"))
STRUCTURE = os.environ.get("STRUCTURE", DEFAULT.format("structure"))
SHOWN = 5
PYTHON = ["requests", "flask", "django", "sqlalchemy", "rich", "pydantic"]
# Shares in %, below which the run fails. Everything else must agree in full.
FLOORS = {"ctags": 95.0}
# Folders of one project that are asked for by themselves, the largest first.
FOLDERS = 40
rows, failures = [], []


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def ours(command, path, inside="."):
    """The answer for a folder of `path`. Paths in it are relative to `path`."""
    words = [os.path.join(path, inside) if word == "PATH" else word for word in shlex.split(command)]
    done = run(words, cwd=path)
    if not done.stdout:
        sys.exit(f"no answer from {words}: {done.stderr[-500:]}")
    answer = json.loads(done.stdout)
    return answer.get("data", answer)


def row(tool, version, corpus, reference, found):
    """Agreement is shared / all that either names."""
    both, either = len(reference & found), len(reference | found)
    share = 100 * both / either if either else 100.0
    if share < FLOORS.get(tool, 100.0):
        failures.append(f"{tool} on {corpus}: {share:.2f} %")
    rows.append((tool, version, corpus, len(reference), len(found), both, f"{share:.2f}"))
    for mark, names in (("only the tool", reference - found), ("only ours", found - reference)):
        for name in sorted(map(str, names))[:SHOWN]:
            print(f"  {corpus}: {mark}: {name}")


def python():
    site = os.path.join(WORK, "python")
    pip = [os.path.join(WORK, "venv", "bin", "pip"), "-q", "install"]
    if not os.path.isdir(site):
        run([*pip, "--no-deps", "--no-compile", "--target", site, *PYTHON], check=True)
    edges = ours(DEPENDENCIES, site)["edges"]
    for package in PYTHON:
        code = (
            "import grimp,sys,json;sys.path.insert(0,sys.argv[1]);"
            "g=grimp.build_graph(sys.argv[2],cache_dir=None);"
            "print(json.dumps([sorted(g.modules),"
            "[(a,b) for a in g.modules for b in g.find_modules_directly_imported_by(a)]]))"
        )
        interpreter = os.path.join(WORK, "venv", "bin", "python")
        modules, pairs = json.loads(run([interpreter, "-c", code, site, package], check=True).stdout)
        known = set(modules)
        found = {(module(edge["from"]), module(edge["to"])) for edge in edges}
        found = {pair for pair in found if set(pair) <= known}
        # An import of the file that it stands in is no edge here.
        pairs = {(importer, imported) for importer, imported in pairs if importer != imported}
        row("grimp", "3.19", package, pairs, found)
    python_symbols(site)


def module(path):
    name = path.rsplit(".", 1)[0].replace("/", ".")
    return name.removesuffix(".__init__")


def python_symbols(site):
    kinds = {"class", "function", "method", "property", "constructor"}
    found = {
        (s["path"], s["qualified_name"], s["start_line"])
        for s in ours(STRUCTURE, site)["symbols"]
        if s["kind"].lower() in kinds and s["path"].endswith(".py") and s["path"].split("/")[0] in PYTHON
    }
    reference = set()
    for package in PYTHON:
        for path in glob.glob(f"{site}/{package}/**/*.py", recursive=True):
            with open(path, encoding="utf-8") as source:
                open_nodes = [(ast.parse(source.read()), "")]
            while open_nodes:
                node, prefix = open_nodes.pop()
                for child in ast.iter_child_nodes(node):
                    inner = prefix
                    if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                        name = prefix + child.name
                        reference.add((os.path.relpath(path, site), name, child.lineno))
                        inner = name + "."
                    open_nodes.append((child, inner))
    version = ".".join(map(str, sys.version_info[:3]))
    row("CPython ast", version, "all six", reference, found)


def javascript():
    tool = os.path.join(WORK, "node", "node_modules", ".bin", "depcruise")
    if not os.path.exists(tool):
        os.makedirs(os.path.join(WORK, "node"), exist_ok=True)
        run(["npm", "i", "--prefix", os.path.join(WORK, "node"), "dependency-cruiser@17.4", "typescript@5"], check=True)
    for name, folder in (("rxjs", "src"), ("rxjs", "dist/cjs"), ("zod", "src"), ("@reduxjs/toolkit", "src")):
        path = npm(name)
        flags = ["--no-config", "--output-type", "json", "--ts-pre-compilation-deps"]
        answer = json.loads(run([tool, *flags, folder], cwd=path).stdout)
        reference = {
            (source["source"], target["resolved"])
            for source in answer["modules"]
            for target in source["dependencies"]
            if not target.get("couldNotResolve") and not target.get("coreModule")
        }
        found = {
            (edge["from"], edge["to"])
            for edge in ours(f"{DEPENDENCIES} --include-skipped build_output", path)["edges"]
            # It does not follow a package's imports of itself by name.
            if edge["from"].startswith(folder) and any(not s.startswith(name) for s in edge["specifiers"])
        }
        row("dependency-cruiser", "17.4", f"{name} {folder}", reference, found)


def go():
    root = "/usr/share/go-1.19/src"
    if not os.path.isdir(root):
        return print("go: install golang-1.19-src")
    text = run(["go", "list", "-e", "-json", "./..."], cwd=root, env={**os.environ, "GOWORK": "off"}).stdout
    packages, at, decoder = [], 0, json.JSONDecoder()
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        package, at = decoder.raw_decode(text, at)
        packages.append(package)
    folders = {os.path.relpath(p["Dir"], root): p["ImportPath"] for p in packages}
    known = set(folders.values())
    reference, compiled = set(), {}
    for package in packages:
        path = package["ImportPath"]
        for key, mark in (("", ""), ("Test", ".test"), ("XTest", ".test")):
            names = package.get(f"{key}GoFiles") or []
            names = names + (package.get("CgoFiles") or [] if not key else [])
            for name in names:
                compiled[os.path.normpath(os.path.join(os.path.relpath(package["Dir"], root), name))] = path + mark
            for target in package.get(f"{key}Imports") or []:
                if target in known:
                    reference.add((path + mark, target))
    found = set()
    for edge in ours(f"{DEPENDENCIES} --include-skipped generated", root)["edges"]:
        target = folders.get(os.path.dirname(edge["to"]) or ".")
        if edge["from"] in compiled and target:
            found.add((compiled[edge["from"]], target))
    row("go list", run(["go", "version"]).stdout.split()[2], "Go 1.19 library", reference, found)


def crate(name):
    """The unpacked source of a crate that cargo fetches."""
    folder = os.path.join(WORK, "crates")
    os.makedirs(os.path.join(folder, "src"), exist_ok=True)
    with open(os.path.join(folder, "Cargo.toml"), "w", encoding="utf-8") as manifest:
        manifest.write(
            '[package]\nname = "crates"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n'
            '[dependencies]\nlibgit2-sys = "0.18"\nzstd-sys = "2"\n'
        )
    open(os.path.join(folder, "src", "lib.rs"), "w", encoding="utf-8").close()
    meta = json.loads(run(["cargo", "metadata", "--format-version", "1"], cwd=folder, check=True).stdout)
    package = next(p for p in meta["packages"] if p["name"] == name)
    return os.path.dirname(package["manifest_path"]), package["version"]


def c():
    libgit2 = ("libgit2/include", "libgit2/src/util", "libgit2/src/libgit2", "libgit2/deps/xdiff", "libgit2/deps/pcre")
    for name, folder, include in (
        ("zstd-sys", "zstd/lib", ("zstd/lib", "zstd/lib/common")),
        ("libgit2-sys", "libgit2/src/libgit2", libgit2),
    ):
        root, version = crate(name)
        following = collections.defaultdict(set)
        for edge in ours(DEPENDENCIES, root)["edges"]:
            following[edge["from"]].add(edge["to"])
        reference, found = set(), set()
        for path in sorted(glob.glob(f"{root}/{folder}/**/*.c", recursive=True)):
            flags = [f"-I{root}/{inner}" for inner in include]
            done = run(["gcc", "-MM", "-MG", *flags, path], cwd=root)
            if done.returncode:
                continue
            source = os.path.relpath(path, root)
            for header in done.stdout.replace("\\\n", " ").split(":", 1)[1].split():
                header = os.path.relpath(os.path.normpath(os.path.join(root, header)), root)
                if header != source and os.path.exists(os.path.join(root, header)):
                    reference.add((source, header))
            seen, waiting = set(), [source]
            while waiting:
                new = following[waiting.pop()] - seen
                seen |= new
                waiting.extend(new)
            found |= {(source, header) for header in seen - {source}}
        # The preprocessor leaves out what its configuration excludes; ours names all: only what it found is compared.
        row("gcc -MM (found)", run(["gcc", "-dumpversion"]).stdout.strip(), f"{name} {version}", reference, found & reference)
        tags(root, folder.split("/")[0], name)


def tags(root, folder, corpus):
    path = os.path.join(root, folder)
    flags = ["--languages=C", "--langmap=C:.c.h", "--kinds-C=dfgesutmvp", "--output-format=json", "-R", "-f", "-"]
    reference = set()
    for line in run(["ctags", *flags, "."], cwd=path).stdout.splitlines():
        tag = json.loads(line)
        if not tag["name"].startswith("__anon"):
            reference.add((os.path.normpath(tag["path"]), tag["name"]))
    known = {tagged for tagged, _ in reference}
    found = {(s["path"], s["name"]) for s in ours(STRUCTURE, path)["symbols"] if s["path"] in known}
    row("ctags", "5.9", corpus, reference, found)


def sdist(requirement):
    """The unpacked source of a Python package, with its pyproject.toml and tests."""
    folder = os.path.join(WORK, "sdist", requirement.replace("==", "-"))
    if not os.path.isdir(folder):
        part = folder + ".part"
        os.makedirs(part, exist_ok=True)
        pip = os.path.join(WORK, "venv", "bin", "pip")
        run([pip, "-q", "download", "--no-deps", "--no-binary", ":all:", "-d", part, requirement], check=True)
        run(["tar", "xzf", *glob.glob(part + "/*.tar.gz"), "-C", part, "--strip-components=1"], check=True)
        os.rename(part, folder)
    return folder


def npm(name):
    folder = os.path.join(WORK, "npm", name.replace("/", "-"))
    if not os.path.isdir(folder):
        os.makedirs(folder)
        packed = run(["npm", "pack", "--silent", name], cwd=folder, check=True).stdout.split()[-1]
        run(["tar", "xzf", packed, "--strip-components=1"], cwd=folder, check=True)
    return folder


def folders():
    """An answer for a folder has the edges that leave it, and the figures of its nodes, of the answer for the whole."""
    for name, path in (("flask 3.1.3", sdist("flask==3.1.3")), ("zod", npm("zod")), ("this project", ROOT)):
        # Otherwise the repository around the work folder would be the project.
        run(["git", "init", "--quiet", path], check=True)
        whole = ours(DEPENDENCIES, path)
        edges = {(edge["from"], edge["to"], edge["kind"], tuple(edge["lines"])) for edge in whole["edges"]}
        nodes = {(node["id"], node["fan_in"], node["fan_out"]) for node in whole["nodes"]}
        files = collections.Counter()
        for node in whole["nodes"]:
            folder = os.path.dirname(node["path"])
            while folder:
                files[folder] += 1
                folder = os.path.dirname(folder)
        reference, found = set(), set()
        for folder, _ in files.most_common(FOLDERS):
            is_in = lambda fact: fact[0].startswith(folder + "/")
            answer = ours(DEPENDENCIES, path, folder)
            reference |= {(folder, *fact) for fact in edges | nodes if is_in(fact)}
            part = {(edge["from"], edge["to"], edge["kind"], tuple(edge["lines"])) for edge in answer["edges"]}
            part |= {(node["id"], node["fan_in"], node["fan_out"]) for node in answer["nodes"]}
            found |= {(folder, *fact) for fact in part if is_in(fact)}
        row("the whole", "", f"{name}, {min(FOLDERS, len(files))} folders", reference, found)


def main():
    parts = {"python": python, "javascript": javascript, "go": go, "c": c, "folders": folders}
    for part in sys.argv[1:] or parts:
        parts[part]()
    heads = ("tool", "version", "corpus", "tool's", "ours", "both", "%")
    print("\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for line in rows:
        print("| " + " | ".join(map(str, line)) + " |")
    if failures:
        sys.exit("below the floor: " + "; ".join(failures))


main()
