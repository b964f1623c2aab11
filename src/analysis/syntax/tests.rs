use proptest::prelude::*;

use super::super::macros::bare_calls;
use crate::analysis::{DecisionKind, FileAnalysis, Language, analyze};

fn c(text: &str) -> FileAnalysis {
    analyze(Language::C, text, &|| false).expect("nobody cancels")
}

fn functions(text: &str) -> Vec<(String, u32, u32)> {
    let functions = c(text).functions.into_iter();
    functions
        .map(|one| (one.name, one.start_line, one.end_line))
        .collect()
}

const CUT: &str = "int f(int a, int b) {\n#ifdef A\n  if (a) {\n#else\n  if (b && a) {\n#endif\n    g();\n  }\n  return 0;\n}\n";

#[test]
fn a_function_that_a_conditional_cuts_is_found_whole_and_both_branches_decide() {
    let text = format!("{CUT}int last(void) {{ return 1; }}\n");
    let analysis = c(&text);
    assert!(analysis.syntax.is_clean());
    assert_eq!(
        functions(&text),
        [("f".to_owned(), 1, 10), ("last".to_owned(), 11, 11)]
    );
    let decisions = &analysis.functions[0].decisions;
    assert_eq!(decisions.body(DecisionKind::If), 1);
    assert_eq!(decisions.aside(DecisionKind::If), 1);
    assert_eq!(decisions.aside(DecisionKind::BooleanOperator), 1);
    assert_eq!(analysis.lines.blank, 0);
    assert_eq!(analysis.lines.ploc, 11);
}

#[test]
fn code_that_differs_in_another_branch_changes_the_digest() {
    let other = CUT.replace("b && a", "b || a");
    assert_ne!(
        c(CUT).functions[0].body_digest,
        c(&other).functions[0].body_digest
    );
}

#[test]
fn both_branches_are_read_if_possible() {
    let text =
        "#ifdef A\nint one(void) { return 1; }\n#else\nint two(void) { return 2; }\n#endif\n";
    let text = format!("{text}{CUT}");
    let names: Vec<_> = functions(&text).into_iter().map(|one| one.0).collect();
    assert_eq!(names, ["one", "two", "f"]);
}

#[test]
fn one_of_two_heads_is_read() {
    let text = "#ifdef A\nint f(int a)\n#else\nint f(int a, int b)\n#endif\n{\n  return a;\n}\nint x = ;\n";
    assert_eq!(functions(text), [("f".to_owned(), 2, 8)]);
}

#[test]
fn includes_of_a_branch_that_is_not_read_are_imports() {
    let text = format!(
        "#ifdef A\n#include \"a.h\"\nint f(void) {{\n#else\n#include \"b.h\"\nint g(void) {{\n#endif\n  return 1;\n}}\n{CUT}"
    );
    let imports: Vec<_> = c(&text)
        .imports
        .into_iter()
        .map(|one| one.specifier)
        .collect();
    assert_eq!(imports, ["a.h", "b.h"]);
}

#[test]
fn cplusplus_in_a_header_is_told_from_c() {
    let is = |text| c(text).syntax.cplusplus;
    assert!(is("class A : public B {\npublic:\n  int f();\n};\n"));
    assert!(is("namespace a {\nint f() const;\n}\n"));
    assert!(is("template <typename T>\nT f(T a) { return a; }\n"));
    assert!(!is("/*\nnamespace a {\n*/\nint f( { }\n"));
    assert!(!is("char *s = \"\\\nclass A {\"; int f( { }\n"));
    assert!(!is(
        "#ifdef __cplusplus\nclass A { int f(); };\n#endif\nint f(void) { return 1; }\n"
    ));
    assert!(!is(
        "int f(int class) {\n  class = 1;\n  return class;\n}\n"
    ));
}

#[test]
fn c_that_cplusplus_may_include_is_clean() {
    let text = "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint f(void) { return 1; }\n#ifdef __cplusplus\n}\n#endif\n";
    assert_eq!(functions(text), [("f".to_owned(), 4, 4)]);
}

#[test]
fn a_comment_does_not_end_a_macro_that_continues_after_it() {
    let text = "int f(int a) {\n#define M do { /* one */ \\\n  if (a) { /* two */ \\\n  }} while (0)\n  if (a) g();\n  return 0;\n}\n";
    let analysis = c(text);
    assert!(analysis.syntax.is_clean());
    assert_eq!(functions(text), [("f".to_owned(), 1, 7)]);
    let decisions = &analysis.functions[0].decisions;
    assert_eq!(decisions.body(DecisionKind::If), 1);
    assert_eq!(decisions.aside(DecisionKind::If), 0);
    assert_eq!(analysis.lines.cloc, 2);
    assert_eq!(analysis.lines.ploc, 7);
}

#[test]
fn a_call_of_a_macro_without_a_semicolon_is_passed_over() {
    let body = "int f(int a) {\n  LONG x = 0;\n  GET_IT(\n    x) // one\n  if (a && x)\n    return 1;\n  return 0;\n}\n";
    let text = format!(
        "LIST(one, (2))\n#define X(a) ONE(a)\nLIST\n#undef X\n{body}NO_CHECK(\"b\")\nint g(int a) {{ return a; }}\n"
    );
    let analysis = c(&text);
    assert!(analysis.syntax.is_clean());
    assert_eq!(
        functions(&text),
        [("f".to_owned(), 5, 12), ("g".to_owned(), 14, 14)]
    );
    assert_eq!(analysis.functions[0].decisions.body(DecisionKind::If), 1);
    assert_eq!(analysis.functions[0].cognitive, 2);
    assert_eq!(analysis.lines.cloc, 1);
    assert_eq!(analysis.lines.ploc, 14);
}

#[test]
fn macros_that_are_a_name_or_a_type_or_decide_are_read() {
    let kept = [
        "TEST(one)\n{ return 1; }\n",
        "int a;\nTYPE\nplain(int a) { return a; }\n",
        "TYPE(int)\nplain(int a) { return a; }\n",
        "int x = A(1)\n  + 2;\n",
        "void f(void) { CHECK(a && b)\n  return; }\n",
        "void f(void) { if (a)\n  CALL(b)\n  return; }\n",
    ];
    for text in kept {
        assert!(bare_calls(text).is_empty(), "{text}");
    }
}

#[test]
fn a_conditional_behind_a_label_does_not_hide_what_follows() {
    let text = "int f(int a) {\n  goto out;\nout:\n#ifdef A\n  g(a);\n#endif\n  return a;\n}\n";
    let analysis = c(text);
    assert!(analysis.syntax.is_clean());
    let decisions = &analysis.functions[0].decisions;
    assert_eq!(decisions.aside(DecisionKind::PreprocessorBranch), 1);
}

const PIECES: [&str; 11] = [
    "ONE(a)\nTWO(\n/* ü */)\nif (x) y();\n",
    "#define M(a) do { /* ü */ \\\n  a; /* one\n*/ } \\\n  while (0) // two\n",
    "int a(int x) {\n  if (x) return 1;\n  return 0;\n}\n",
    "#ifdef A\n",
    "#else\n",
    "#endif\n",
    "if (x) {\n",
    "}\n",
    "/* ü\n*/\n",
    "int b = \"\\ü\n;\n",
    "#if 0 /*\n*/\n",
];

proptest! {
    /// For any conditionals: every position is in the file, and every line is counted once.
    #[test]
    fn any_pieces_are_read_within_the_file(picks in prop::collection::vec(0..PIECES.len(), 0..24)) {
        let text: String = picks.into_iter().map(|pick| PIECES[pick]).collect();
        let lines = text.lines().count() as u32;
        let analysis = c(&text);
        prop_assert!(analysis.lines.sloc <= lines + 1);
        for function in &analysis.functions {
            prop_assert!(function.end_line <= lines + 1);
            prop_assert!(text.get(function.span.clone()).is_some());
        }
    }

    /// The code before and after a cut function has the same positions as without it.
    #[test]
    fn functions_next_to_a_cut_one_keep_their_lines(before in 0..5_usize, after in 0..5_usize) {
        let whole = PIECES[0];
        let text = format!("{}{CUT}{}", whole.repeat(before), whole.repeat(after));
        let plain = "\n".repeat(CUT.lines().count());
        let without = format!("{}{plain}{}", whole.repeat(before), whole.repeat(after));
        let mut found = functions(&text);
        found.retain(|one| one.0 == "a");
        prop_assert_eq!(found, functions(&without));
    }
}
