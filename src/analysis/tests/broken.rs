//! Broken texts: the code outside the smallest broken statement is found as if there were no error.

use proptest::prelude::*;

use super::{functions, of};
use crate::analysis::Language::{self, C, Go, Java, JavaScript, Python, Rust, TypeScript};

/// A file with `@` as a placeholder for unknown syntax, and the results for any content of the placeholder.
const CASES: &[(Language, &str, &[&str], &[&str])] = &[
    (
        TypeScript,
        "export class A {\n  one() { return a ? 1 : 2 }\n  @\n  two(b: B) { if (b && c) { return 1 } }\n}\nexport function three() { for (const x of y) { z() } }\n",
        &["foo bar baz!!;", "one two() = 3;", "%%%;"],
        &["A.one 2-2 2/1", "A.two 4-4 3/2", "three 6-6 2/1"],
    ),
    (
        TypeScript,
        "function one() {\n  const b = 1\n  @\n  return b ? 1 : 2\n}\ndescribe(\"x\", () => {\n  it(\"y\", () => { if (a) b() })\n})\nfunction two() { return 1 }\n",
        &["const x = = 1;", "foo bar baz;", "let 1x = ???;"],
        &[
            "one 1-5 2/1",
            "<anonymous@6> 6-8 1/0",
            "<anonymous@6>.<anonymous@7> 7-7 2/2",
            "two 9-9 1/0",
        ],
    ),
    (
        JavaScript,
        "export const a = (b) => {\n  if (b) { return 1 }\n}\n@\nfunction c() {\n  return a ? 1 : 2\n}\n",
        &["const = ;", "foo bar baz;", "export export;"],
        &["a 1-3 2/1", "c 5-7 2/1"],
    ),
    (
        Go,
        "package p\n\nfunc one(a int) int {\n\tif a > 1 {\n\t\treturn 1\n\t}\n\t@\n\tfor i := range a {\n\t\tuse(i)\n\t}\n\treturn 2\n}\n\nfunc two() {}\n",
        &["x := := 1", "foo bar baz", "x := 5 5"],
        &["one 3-12 3/2", "two 14-14 1/0"],
    ),
    (
        Java,
        "class A {\n    int one(int a) {\n        if (a > 1) { return 1; }\n        return 2;\n    }\n    @\n    int two() { return x ? 1 : 2; }\n}\nclass B { void three() {} }\n",
        &["int = ;", "foo bar baz qux;", "int x = ;= 1;"],
        &["A.one 2-5 2/1", "A.two 7-7 2/1", "B.three 9-9 1/0"],
    ),
    (
        Rust,
        "impl A {\n    fn one(&self) -> u8 {\n        @\n        if self.b { 1 } else { 2 }\n    }\n    fn two() {}\n}\nfn three(a: bool) -> u8 { if a { 1 } else { 2 } }\n",
        &["let = ;", "foo bar baz;", "let x: = 3;"],
        &["A::one 2-5 2/2", "A::two 6-6 1/0", "three 8-8 2/2"],
    ),
    (
        Python,
        "def one(a):\n    if a:\n        return 1\n    @\n    return 2\n\nclass A:\n    def two(self):\n        return 1 if a else 2\n\ndef three(): pass\n",
        &["x = = 1", "foo bar baz", "def (:"],
        &["one 1-5 2/1", "A.two 8-9 2/1", "three 11-11 1/0"],
    ),
    (
        C,
        "static int one(int a)\n{\n\tif (a) return 1;\n\t@\n\treturn a ? 2 : 3;\n}\n\nint two(void) { return 1; }\n",
        &["int = ;", "foo bar baz qux;", "x = = 3;"],
        &["one 1-6 3/2", "two 8-8 1/0"],
    ),
];

#[test]
fn code_next_to_a_broken_statement_is_found() {
    for (language, text, broken, expected) in CASES {
        for broken in *broken {
            let text = text.replace('@', broken);
            let analysis = of(*language, &text);
            assert_eq!(functions(&analysis), *expected, "{text}");
            let line = text.lines().position(|line| line.contains(broken));
            let line = u32::try_from(line.unwrap_or_default() + 1).unwrap_or_default();
            assert_eq!(analysis.syntax.stretches, [(line, line)], "{text}");
            assert_eq!(analysis.syntax.lines, 1);
        }
    }
}

#[test]
fn a_function_around_an_error_that_cannot_be_cut_out_is_marked() {
    let analysis = of(
        TypeScript,
        "const a = (b = = 1) => { return b ? 1 : 2 }\nfunction c() {}\n",
    );
    let found: Vec<_> = analysis
        .functions
        .iter()
        .map(|one| (one.name.as_str(), one.recovered))
        .collect();
    assert_eq!(found, [("a", true), ("c", false)]);
}

#[test]
fn a_block_that_is_not_closed_does_not_swallow_what_follows() {
    let text = "function a() {\n  if (b) {\n    c();\n}\n\nexport function d() {\n  return e ? 1 : 2;\n}\n";
    let found = functions(&of(TypeScript, text));
    assert!(found.contains(&"d 6-8 2/1".to_owned()), "{found:?}");
}

#[test]
fn a_large_file_with_an_error_is_read_in_bounded_time() {
    let mut text = String::new();
    for at in 0..2_000 {
        text.push_str(&format!(
            "export function f{at}(a) {{ if (a) {{ g({at}) }} }}\n"
        ));
    }
    text.push_str("const x = = 1\n");
    let analysis = of(TypeScript, &text);
    assert_eq!(analysis.functions.len(), 2_000);
    assert_eq!(analysis.syntax.stretches, [(2_001, 2_001)]);
}

const PIECES: [&str; 10] = [
    "function a(b) { return b ? 1 : 2 }\n",
    "class C { m() { x = `a${b}` } }\n",
    "const x = = 1\n",
    "foo bar baz\n",
    "{",
    "}\n",
    "(",
    ")\n",
    "'ü\n",
    "/* \n",
];

proptest! {
    /// For any broken text, positions are in the file, functions nest, and each error is reported.
    #[test]
    fn any_pieces_are_read_within_the_file(picks in prop::collection::vec(0..PIECES.len(), 0..24)) {
        let text: String = picks.into_iter().map(|pick| PIECES[pick]).collect();
        for language in [TypeScript, JavaScript, Java, Rust, Go, Python, C] {
            let analysis = of(language, &text);
            let lines = u32::try_from(text.lines().count()).unwrap_or_default();
            for function in &analysis.functions {
                prop_assert!(function.end_line <= lines + 1);
                prop_assert!(text.get(function.span.clone()).is_some());
                let around = function.parent.map(|at| &analysis.functions[at as usize].span);
                prop_assert!(around.is_none_or(|around| around.start <= function.span.start && function.span.end <= around.end));
            }
            prop_assert_eq!(analysis.syntax.is_clean(), analysis.syntax.lines == 0);
        }
    }
}
