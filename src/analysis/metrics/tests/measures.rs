//! Lines, Halstead's counts, the index and the digest.

use crate::analysis::{FileAnalysis, Halstead, Language, Lines, analyze, metrics};

fn file(language: Language, text: &str) -> FileAnalysis {
    analyze(language, text, &|| false).expect("not cancelled")
}

#[test]
fn lines_of_a_function_are_those_of_its_span() {
    let text = "/* before */ int f(int a) { /* one\n\n two */\n\n  return \"x\\\n y\"; // three\n} // after\n";
    let found = file(Language::C, text);
    let of_function = Lines {
        sloc: 7,
        ploc: 4,
        cloc: 3,
        blank: 2,
        lloc: 1,
    };
    assert_eq!(found.functions[0].lines, of_function);
    assert_eq!(found.lines.cloc, 4);
}

/// The figures are those of cloc 1.96.
#[test]
fn lines_are_counted_as_cloc_counts_them() {
    let text = "\"\"\"About.\n\nMore.\n\"\"\"\n\nTEXT = \"\"\"a\n\nb\"\"\"\n\n\ndef f():\n    r'''Says.'''\n    return 1  # one\n";
    let lines = file(Language::Python, text).lines;
    assert_eq!((lines.ploc, lines.blank), (4, 5), "{lines:?}");
    assert_eq!(lines.sloc - lines.ploc - lines.blank, 4);
    assert_eq!(lines.cloc, 5);
}

#[test]
fn halstead_counts_brackets_once_and_comments_never() {
    let found = file(Language::C, "int f(int a) { return a + a * 2; /* a */ }");
    // int ( { return + * ; and f a 2
    let expected = Halstead {
        n1: 7,
        n2: 3,
        big_n1: 8,
        big_n2: 5,
    };
    assert_eq!(found.functions[0].halstead, expected);
    assert_eq!(found.halstead, expected);
}

#[test]
fn a_literal_is_one_operand_and_the_code_in_it_is_code() {
    let plain = file(Language::Python, "def f(): return 'a b'\n");
    let with_code = file(Language::Python, "def f(): return f'a {x + y} b'\n");
    assert_eq!(plain.functions[0].halstead.big_n2, 2);
    assert_eq!(with_code.functions[0].halstead.big_n2, 4);
}

#[test]
fn halstead_algebra() {
    let counts = Halstead {
        n1: 8,
        n2: 8,
        big_n1: 20,
        big_n2: 12,
    };
    assert_eq!(counts.volume(), Some(128.0));
    assert_eq!(counts.difficulty(), Some(6.0));
    assert_eq!(counts.effort(), Some(768.0));
    assert_eq!(counts.time(), Some(768.0 / 18.0));
    assert_eq!(counts.bugs(), Some(128.0 / 3000.0));
    assert_eq!(Halstead::default().volume(), None);
    assert_eq!(Halstead::default().effort(), None);
}

#[test]
fn maintainability_follows_its_formulas() {
    let counts = Halstead {
        n1: 8,
        n2: 8,
        big_n1: 20,
        big_n2: 12,
    };
    let original = 171.0 - 5.2 * 128_f64.ln() - 0.23 * 3.0 - 16.2 * 10_f64.ln();
    let index = metrics::maintainability_index(&counts, 3, 10).expect("not empty");
    assert!((index - original * 100.0 / 171.0).abs() < 1e-9);
    let sei = metrics::maintainability_index_sei(&counts, 3, 10, 2).expect("not empty");
    let bonus = 50.0 * (2.46_f64 * 20_f64.to_radians()).sqrt().sin();
    assert!((sei - ((original + bonus) * 100.0 / 171.0).min(100.0)).abs() < 1e-9);
    assert_eq!(
        metrics::maintainability_index(&Halstead::default(), 1, 10),
        None
    );
    assert_eq!(metrics::maintainability_index(&counts, 1, 0), None);
}

#[test]
fn the_digest_survives_a_move_a_rename_and_a_comment() {
    let pairs = [
        (
            Language::Rust,
            "fn a(x: u32) -> u32 { a(x) + 1 }",
            "\n\nmod m { fn b(x: u32) /* c */ -> u32 {\n b(x)+1 } }",
        ),
        (
            Language::Python,
            "def a(x):\n    return a(x)\n",
            "class C:\n    def b(x):  # moved\n\n        return b(x)\n",
        ),
        (
            Language::Go,
            "package p\nfunc a(x int) { a(x) }",
            "package q\n// moved\nfunc b(x int) { b(x) }",
        ),
        (
            Language::JavaScript,
            "const a = (x) => a(x) + 'y';",
            "var b = (x) =>\n b(x) + 'y';",
        ),
    ];
    for (language, before, after) in pairs {
        let digest = |text| file(language, text).functions[0].body_digest;
        assert_eq!(digest(before), digest(after), "{}", language.name());
    }
}

#[test]
fn the_digest_changes_with_a_token() {
    let digest = |text| file(Language::JavaScript, text).functions[0].body_digest;
    let base = digest("function f(x) { return x + 1 }");
    for other in [
        "function f(x) { return x - 1 }",
        "function f(x) { return x + 2 }",
        "function f(y) { return y + 1 }",
        "function f(x) { return x + '1' }",
        "function f(x) { return () => x + 1 }",
    ] {
        assert_ne!(base, digest(other), "{other}");
    }
}

#[test]
fn ten_thousand_nested_brackets_closures_and_operators() {
    let depth = 10_000;
    let nested = [
        (Language::Rust, "(".repeat(depth) + &")".repeat(depth)),
        (Language::JavaScript, "f(() => ".repeat(depth)),
        (
            Language::Python,
            "x = ".to_owned() + &"[".repeat(depth) + &"]".repeat(depth),
        ),
        (
            Language::C,
            "int f() { return ".to_owned() + &"a && ".repeat(depth) + "a; }",
        ),
        (
            Language::Java,
            "class A { void f() ".to_owned() + &"{ if (a) ".repeat(depth),
        ),
        (
            Language::Go,
            "package p\nfunc f() ".to_owned() + &"{ func() ".repeat(depth),
        ),
        (Language::TypeScript, "`${".repeat(depth)),
    ];
    for (language, text) in nested {
        let found = file(language, &text);
        assert_eq!(found.lines.sloc, u32::from(language == Language::Go) + 1);
    }
}

#[test]
fn cancelling_stops() {
    let text = "f(x);\n".repeat(10_000);
    assert!(analyze(Language::JavaScript, &text, &|| true).is_err());
}
