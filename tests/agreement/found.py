"""Whether every function is found, and none invented: against tools that know the language."""

import collections

import references

# What is found, against which tool, on which code; the recall in % below which the run fails, and what may be invented.
Row = collections.namedtuple("Row", "name reference corpora recall invented")

ROWS = [
    Row("typescript-found", references.typescript_functions, ["rxjs", "zod", "effect"], 99.9, 0.0),
    Row("c-found", references.ctags_functions, ["lua", "tmux", "curl", "redis"], 99.8, 0.6),
]


def compare(row, tool, theirs, ours):
    """True unless the share that is found is below the floor, or more is invented than may be."""
    # ctags takes the macro of `TEST_BEGIN(name) { … }` for the name: such a function is known by its last line.
    macros = {(path, end) for path, name, end in theirs if row.name == "c-found" and is_macro(name)}
    theirs, ours = (collections.Counter(without_macros(keys, macros)) for keys in (theirs, ours))
    missed, invented = theirs - ours, ours - theirs
    count = max(1, sum(theirs.values()))
    recall = 100 - 100 * sum(missed.values()) / count
    more = 100 * sum(invented.values()) / count
    print(f"{sum(theirs.values()):>7} {recall:>9.2f} {more:>9.2f}", flush=True)
    return recall >= row.recall and more <= row.invented, missed, invented


def is_macro(name):
    return name.isupper() and len(name) > 2


def without_macros(keys, macros):
    return [(path, "a macro", end) if (path, end) in macros else (path, name, end) for path, name, end in keys]


def of_typescript(path, function):
    return (path, function["start_line"], function["end_line"])


def of_c(path, function):
    return (path, function["name"].split("::")[-1], function["end_line"])


KEYS = {"typescript-found": of_typescript, "c-found": of_c}
