//! Classifies files and directories by name: third-party code, build output, generated code. Pure.

/// Directories of third-party code, whatever is beside them.
const VENDORED: [&str; 14] = [
    "node_modules",
    "bower_components",
    "jspm_packages",
    "web_modules",
    "vendor",
    "vendored",
    "third_party",
    "third-party",
    "thirdparty",
    "3rdparty",
    "Godeps",
    "site-packages",
    "dist-packages",
    "venv",
];

/// Build directories, if one of these files is beside them. The name alone is not enough: Go's own library has packages
/// called `build` and `dist`.
const BUILD_OUTPUT: [(&str, &[&str]); 6] = [
    (
        "target",
        &["Cargo.toml", "pom.xml", "build.sbt", "project.clj"],
    ),
    (
        "dist",
        &["package.json", "setup.py", "pyproject.toml", "setup.cfg"],
    ),
    (
        "build",
        &[
            "package.json",
            "build.gradle",
            "build.gradle.kts",
            "CMakeLists.txt",
            "meson.build",
            "setup.py",
            "pyproject.toml",
        ],
    ),
    (
        "out",
        &[
            "package.json",
            "CMakeLists.txt",
            "build.gradle",
            "build.gradle.kts",
        ],
    ),
    (
        "_build",
        &["conf.py", "rebar.config", "mix.exs", "dune-project"],
    ),
    ("storybook-static", &["package.json"]),
];

/// A directory with one of these files is source, even if its name and its neighbours suggest build output.
pub(super) const SOURCE_MARKS: [&str; 3] = ["__init__.py", "mod.rs", "package.json"];

/// Written by caches and build tools into their directories (Cargo, pytest, ccache, …).
pub(super) const CACHE_TAG: &str = "CACHEDIR.TAG";

const MINIFIED_STEMS: [&str; 4] = [".min", "-min", ".bundle", ".prod.min"];
const MINIFIED_EXTENSIONS: [&str; 3] = ["js", "mjs", "cjs"];

/// Suffixes that generators use and people do not.
const GENERATED_SUFFIXES: [&str; 19] = [
    ".pb.go",
    ".pb.gw.go",
    ".pb.c",
    ".pb.h",
    ".pb-c.c",
    ".pb-c.h",
    "_pb.js",
    "_pb.ts",
    "_pb.d.ts",
    "_pb2.py",
    "_pb2.pyi",
    "_pb2_grpc.py",
    "_grpc_pb.js",
    ".gen.go",
    "_generated.go",
    ".generated.ts",
    ".generated.js",
    ".gen.ts",
    "_generated.rs",
];
const GENERATED_NAMES: [&str; 4] = ["lex.yy.c", "y.tab.c", "y.tab.h", "parser.tab.c"];
const GENERATED_PREFIXES: [&str; 2] = ["zz_generated.", "moc_"];

pub(super) fn is_vendored_directory(name: &str) -> bool {
    VENDORED.contains(&name)
}

/// The files that mark a directory of this name as build output, if one of them is beside it.
pub(super) fn build_output_marks(name: &str) -> Option<&'static [&'static str]> {
    BUILD_OUTPUT
        .iter()
        .find(|(output, _)| *output == name)
        .map(|(_, marks)| *marks)
}

pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Folders of version control. No walk enters them, not even with `include_skipped`.
pub(super) fn is_version_control(name: &str) -> bool {
    matches!(name, ".git" | ".hg" | ".svn" | ".jj")
}

pub(super) fn is_minified(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    MINIFIED_EXTENSIONS.contains(&extension)
        && MINIFIED_STEMS.iter().any(|ending| stem.ends_with(ending))
}

pub(super) fn is_generated(name: &str) -> bool {
    GENERATED_NAMES.contains(&name)
        || GENERATED_SUFFIXES.iter().any(|end| name.ends_with(end))
        || GENERATED_PREFIXES
            .iter()
            .any(|start| name.starts_with(start))
}
