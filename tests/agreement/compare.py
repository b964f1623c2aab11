"""Prints how far the metrics agree with each reference tool, and where they first do not."""

import argparse
import collections
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

import corpora
import found
import references

# One row: what is compared, against which tool, on which code, and the share in % below which the run fails.
Row = collections.namedtuple("Row", "name profile field reference corpora floor")

ROWS = [
    Row("python-radon", "radon", "cyclomatic", references.radon, ["requests", "flask", "django", "sympy"], 99.9),
    Row("python-cognitive", "strict", "cognitive", references.cognitive_complexity, ["requests", "flask", "django"], 99.0),
    Row("python-complexipy", "strict", "cognitive", references.complexipy, ["requests", "flask", "django"], 94.5),
    Row("python-lizard", "lizard", "cyclomatic", references.lizard, ["requests", "flask", "django"], 99.4),
    Row("javascript-eslint", "eslint", "cyclomatic", references.eslint, ["eslint", "rxjs-js", "preact"], 99.9),
    Row("typescript-eslint", "eslint", "cyclomatic", references.eslint, ["rxjs", "zod"], 99.9),
    Row("javascript-lizard", "lizard", "cyclomatic", references.lizard, ["eslint", "preact"], 90.5),
    Row("go-gocyclo", "gocyclo", "cyclomatic", references.gocyclo, ["go"], 99.9),
    Row("go-lizard", "lizard", "cyclomatic", references.lizard, ["go"], 98.6),
    Row("java-checkstyle", "checkstyle", "cyclomatic", references.checkstyle, ["commons-lang3", "guava"], 99.9),
    Row("java-lizard", "lizard", "cyclomatic", references.lizard, ["commons-lang3"], 99.9),
    Row("c-pmccabe", "pmccabe", "cyclomatic", references.pmccabe, ["redis", "sqlite3"], 99.9),
    Row("c-lizard", "lizard", "cyclomatic", references.lizard, ["redis", "sqlite3"], 96.5),
    Row("java-bca-cognitive", "strict", "cognitive", references.bca_cognitive, ["commons-lang3"], 99.4),
    Row("go-bca-cognitive", "strict", "cognitive", references.bca_cognitive, ["go"], 99.3),
    Row("typescript-bca-cognitive", "strict", "cognitive", references.bca_cognitive, ["rxjs"], 88.0),
    Row("c-bca-cognitive", "strict", "cognitive", references.bca_cognitive, ["redis"], 98.2),
    Row("rust-bca-cognitive", "strict", "cognitive", references.bca_cognitive, ["crates"], 99.6),
    Row("rust-bca", "strict", "cyclomatic", references.bca_cyclomatic, ["crates"], 92.0),
    Row("rust-lizard", "lizard", "cyclomatic", references.lizard, ["crates"], 88.0),
]


def main():
    arguments = parse_arguments()
    chosen = [row for row in ROWS if not arguments.only or row.name in arguments.only]
    failed = False
    print(f"{'what':<20} {'tool':<34} {'corpus':<14} {'listed':>7} {'compared':>8} {'agree':>7} {'%':>7}")
    for row in chosen:
        failed |= not compare_row(row, arguments)
    asked = [row for row in found.ROWS if not arguments.only or row.name in arguments.only]
    if asked:
        print(f"{'what':<20} {'tool':<34} {'corpus':<14} {'listed':>7} {'found %':>9} {'more %':>9}")
    for row in asked:
        failed |= not found_row(row, arguments)
    sys.exit(1 if failed else 0)


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--dump", default=os.environ.get("DUMP"))
    parser.add_argument("--only", type=lambda names: names.split(","))
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--folder", action="append", help="code that is here already, instead of the public code")
    return parser.parse_args()


def compare_row(row, arguments):
    """True unless the agreement over all its corpora is below the floor."""
    compared = agree = 0
    for name in arguments.folder or row.corpora:
        try:
            folder = name if arguments.folder else corpora.fetch(name, arguments.work)
            tool, theirs = row.reference(folder, arguments.work)
        except references.Unavailable as reason:
            print(f"{row.name:<20} skipped: {reason}")
            continue
        ours = dump(arguments.dump, row.profile, folder)
        add_left_out(ours, theirs, arguments.dump, row.profile, folder)
        pairs, misses = join(theirs, ours, row.field)
        same = sum(1 for their, our in pairs if their.value == our["own"][row.field])
        share = 100 * same / max(1, len(pairs))
        print(f"{row.name:<20} {tool:<34} {os.path.basename(name):<14} {len(theirs):>7} {len(pairs):>8} {same:>7} {share:>7.2f}", flush=True)
        differing = [(t, o) for t, o in pairs if t.value != o["own"][row.field]]
        for their, our in differing[: arguments.show]:
            print(f"    {their.path}:{their.line} {their.name}: {tool.split()[0]} {their.value}, here {our['own'][row.field]}")
        for their in misses[: arguments.show]:
            print(f"    {their.path}:{their.line} {their.name}: not found here")
        compared += len(pairs)
        agree += same
    if arguments.folder and not compared:
        print("    nothing was compared")
        return False
    if compared and 100 * agree / compared < row.floor:
        print(f"    below the floor of {row.floor} %")
        return False
    return True


def found_row(row, arguments):
    """True unless functions are missed or invented, more than the row allows."""
    passed = True
    for name in arguments.folder or row.corpora:
        try:
            folder = name if arguments.folder else corpora.fetch(name, arguments.work)
            tool, theirs, paths = row.reference(folder, arguments.work)
        except references.Unavailable as reason:
            print(f"{row.name:<20} skipped: {reason}")
            continue
        key = found.KEYS[row.name]
        looked_at = {os.path.relpath(path, folder) for path in paths}
        ours = dump(arguments.dump, "strict", folder)
        left_out = [references.Measured(path, None, 0, 0) for path in looked_at]
        add_left_out(ours, left_out, arguments.dump, "strict", folder)
        listed = [key(path, function) for path in looked_at for function in ours.get(path, [])]
        print(f"{row.name:<20} {tool:<34} {os.path.basename(name):<14} ", end="")
        good, missed, invented = found.compare(row, tool, theirs, listed)
        for what, functions in (("not found here", missed), ("found here alone", invented)):
            for function in sorted(functions, key=str)[: arguments.show]:
                print(f"    {':'.join(map(str, function))}: {what}")
        passed &= good
    return passed


def add_left_out(ours, theirs, command, profile, folder):
    """What is generated, vendored or minified is left out of a folder, and measured where it is asked for by name."""
    missing = sorted({their.path for their in theirs} - set(ours))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda path: ask(command, profile, os.path.join(folder, path)), missing)
        for path, answer in zip(missing, answers):
            if answer:
                ours[path] = answer["functions"]


def dump(command, profile, folder):
    """Functions by path below the folder; the program gives paths as they lead there from the current one."""
    answer = ask(command, profile, folder) or sys.exit(f"no metrics of {folder}")
    by_path = collections.defaultdict(list)
    for function in answer["functions"]:
        by_path[os.path.relpath(function["path"], folder)].append(function)
    return by_path


def ask(command, profile, path):
    """The answer for a folder or file; None where there is none."""
    words = [word.format(profile=profile, path=path) for word in shlex.split(command)]
    done = subprocess.run(words, check=False, capture_output=True)
    if done.returncode != 0 or not done.stdout:
        print(f"    {shlex.join(words)} gave no metrics: {done.stderr.decode(errors='replace').strip()[-300:]}")
        return None
    answer = json.loads(done.stdout)
    return answer.get("data", answer)


def join(theirs, ours, field):
    """Pairs of one function in both: same path, same last part of the name, nearest of the overlapping lines."""
    pairs, misses, used = [], [], set()
    for their in theirs:
        candidates = [
            our
            for our in ours.get(their.path, [])
            if id(our) not in used
            and (their.name is None or last_name(our["name"]) == last_name(their.name))
            and (their.line_is_inside and our["start_line"] <= their.line <= our["end_line"] or our["start_line"] == their.line)
        ]
        if not candidates:
            misses.append(their)
            continue
        best = max(candidates, key=lambda our: (our["start_line"], -our["end_line"]))
        # Answers are ranked and have no columns: several on one line are compared as a set.
        same_line = [our for our in candidates if our["start_line"] == best["start_line"]]
        best = next((our for our in same_line if our["own"][field] == their.value), same_line[0])
        used.add(id(best))
        pairs.append((their, best))
    return pairs, misses


def last_name(name):
    return name.replace("::", ".").split(".")[-1].strip()


if __name__ == "__main__":
    main()
