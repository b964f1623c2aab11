use expect_test::expect;

use super::*;

fn on(width: usize) -> Screen {
    Screen {
        width: Some(width),
        color: false,
    }
}

fn complexity() -> Value {
    json!({
        "data": {
            "functions": [
                {"path": "src/deeply/nested/folders/of/a/project/analysis.rs", "start_line": 12345, "qualified_name": "analysis::Walker<'a, T>::walk_the_whole_tree_of_everything", "own": {"cyclomatic": 112, "cognitive": 1020}, "max_nesting": 3, "parameters": 2, "sloc": 210, "maintainability_index": 45.678},
                {"path": "b\u{1b}.py", "start_line": 10, "qualified_name": "B.f", "own": {"cyclomatic": 7, "cognitive": 0}, "max_nesting": 0, "parameters": 2, "sloc": 3, "maintainability_index": null},
            ],
            "files": [
                {"path": "src/deeply/nested/folders/of/a/project/analysis.rs", "language": "rust", "sloc": 12400, "ploc": 9000, "blank": 1400, "functions": 300, "cyclomatic_max": 112, "cognitive": 4000},
                {"path": "b\u{1b}.py", "language": "python", "sloc": 12, "ploc": 10, "blank": 2, "functions": 1, "cyclomatic_max": 7, "cognitive": 0},
            ],
            "languages": [
                {"language": "rust", "files": 1, "sloc": 12400, "ploc": 9000, "blank": 1400, "functions": 300, "cyclomatic": 2000, "cognitive": 4000},
                {"language": "python", "files": 1, "sloc": 12, "ploc": 10, "blank": 2, "functions": 1, "cyclomatic": 7, "cognitive": 0},
            ],
            "totals": {"files": 2, "sloc": 12412, "ploc": 9010, "blank": 1402, "functions": 301, "cyclomatic": 2007, "cognitive": 4000},
        },
        "status": {"message": null},
        "page": {"returned": 2, "total": 7, "truncated": true},
        "coverage": {"files_seen": 9, "files_analyzed": 2, "skipped": {"binary": 1, "unsupported": 6}, "parse_errors": 1, "languages": {"rust": 1, "python": 1}},
    })
}

#[test]
fn a_table_has_its_informative_columns_and_the_coverage() {
    let unparsed = ["src/broken.py".to_owned()];
    let screen = Screen::default();
    expect![[r#"
        Functions
         cyclomatic  cognitive  nesting  lines     MI  function                                                    location
              112 F       1020        3    210  45.68  analysis::Walker<'a, T>::walk_the_whole_tree_of_everything  src/deeply/nested/folders/of/a/project/analysis.rs:12345
                7 B          0        0      3      –  B.f                                                         b\u{1b}.py:10

        Files
         lines  code  comment  blank  functions  worst  cognitive  language  path
         12400  9000     2000   1400        300  112 F       4000  rust      src/deeply/nested/folders/of/a/project/analysis.rs
            12    10        0      2          1    7 B          0  python    b\u{1b}.py

        Languages
         language  files  code  comment  blank  functions  cyclomatic  cognitive
         rust          1  9000     2000   1400        300        2000       4000
         python        1    10        0      2          1           7          0
         total         2  9010     2000   1402        301        2007       4000

        Ranks of cyclomatic complexity are radon's: A 1–5, B 6–10, C 11–20, D 21–30, E 31–40, F 41 and more.
        2 of 7 rows shown; --limit 0 shows all.
        9 files seen, 2 analysed; skipped: unsupported 6, binary 1; languages: python 1, rust 1.
        1 file has source that does not parse, and its numbers leave it out: src/broken.py.
    "#]].assert_eq(&of_answer(
        Kind::Complexity,
        &complexity(),
        None,
        &unparsed,
        screen,
    ));
}

#[test]
fn a_table_fits_a_narrow_terminal() {
    expect![[r#"
        Functions
         cyclomatic  cognitive  function      location
              112 F       1020  analysis::    src/deeply/nested/
                                Walker<'a,    folders/of/a/project/
                                T>::walk_     analysis.rs:12345
                                the_whole_
                                tree_of_
                                everything
                7 B          0  B.f           b\u{1b}.py:10

        Files
         lines  code  cognitive  path
         12400  9000       4000  src/deeply/nested/folders/of/a/
                                 project/analysis.rs
            12    10          0  b\u{1b}.py

        Languages
         language  files  code  comment  blank  functions  cognitive
         rust          1  9000     2000   1400        300       4000
         python        1    10        0      2          1          0
         total         2  9010     2000   1402        301       4000

        Ranks of cyclomatic complexity are radon's: A 1–5, B 6–10,
        C 11–20, D 21–30, E 31–40, F 41 and more.
        2 of 7 rows shown; --limit 0 shows all.
        9 files seen, 2 analysed; skipped: unsupported 6, binary 1;
        languages: python 1, rust 1.
        1 file has source that does not parse, and its numbers leave
        it out.
    "#]]
    .assert_eq(&of_answer(
        Kind::Complexity,
        &complexity(),
        None,
        &[],
        on(60),
    ));
}

/// Long text is wrapped, and nothing is left out.
#[test]
fn no_line_is_wider_than_the_terminal_and_no_number_is_broken() {
    for width in [60, 80, 100, 120, 200] {
        let text = of_answer(
            Kind::Complexity,
            &complexity(),
            Some("effort"),
            &[],
            on(width),
        );
        for line in text.lines() {
            assert!(fit::width(line) <= width, "{width}: {line}");
        }
        for number in ["112 F", "1020", "12400", "12345", "9010", "B.f"] {
            assert!(text.contains(number), "{number} at {width}:\n{text}");
        }
        assert!(!text.contains('…'), "{text}");
        // In one piece where half a line is enough for it.
        let place = "src/deeply/nested/folders/of/a/project/analysis.rs:12345";
        assert_eq!(width >= 100, text.contains(place), "{width}:\n{text}");
    }
}

#[test]
fn a_rank_has_its_color() {
    let screen = Screen {
        width: None,
        color: true,
    };
    let text = of_answer(Kind::Complexity, &complexity(), None, &[], screen);
    for part in [
        "\u{1b}[31m112 F\u{1b}[0m",
        "\u{1b}[32m7 B\u{1b}[0m",
        "\u{1b}[1mFunctions\u{1b}[0m",
    ] {
        assert!(text.contains(part), "{part:?}: {text:?}");
    }
    // Colours do not count as width.
    let plain = of_answer(
        Kind::Complexity,
        &complexity(),
        None,
        &[],
        Screen::default(),
    );
    let mut bare = text;
    for code in ["1", "31", "32", "33", "0"] {
        bare = bare.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(bare, plain);
}

#[test]
fn a_cycle_is_a_chain_and_a_long_one_is_wrapped() {
    let graph = json!({
        "cycles": [
            {"size": 7, "path": ["a/long/path.py", "another/long path.py", "a/long/path.py"], "more": 5},
            {"size": 4, "path": ["a", "b", "c", "d", "a"]},
            {"size": 2, "path": ["c", "d", "c"]},
        ],
    });
    let mut page = Page::new(on(44));
    page.cycles(&graph, 3);
    expect![[r#"
        Cycles
          size  cycle
             7  a/long/path.py
                → another/long path.py
                → a/long/path.py and 5 more in this
                cycle
             4  a → b → c → … → a
             2  c → d → c

    "#]]
    .assert_eq(&page.end());
}

#[test]
fn a_long_reason_is_wrapped() {
    let envelope = json!({
        "data": {"unresolved": [
            {"path": "shop/report.py", "line": 4, "specifier": "shop.printer", "reason": "no_such_module: `shop` has no module `printer` here (compiled, generated or excluded?)"},
        ]},
        "status": {"message": null}, "page": null, "coverage": null,
    });
    expect![[r#"
        Unresolved
         unresolved    reason                       location
         shop.printer  no_such_module: `shop` has   shop/report.py:4
                       no module `printer` here
                       (compiled, generated or
                       excluded?)

    "#]]
    .assert_eq(&of_answer(Kind::Dependencies, &envelope, None, &[], on(60)));
}

#[test]
fn an_empty_answer_has_a_reason() {
    let envelope = json!({
        "data": {"functions": []},
        "status": {"message": "no file matches the selection"},
        "page": {"returned": 0, "total": 0, "truncated": false},
        "coverage": null,
    });
    expect![[r#"
        no file matches the selection
    "#]]
    .assert_eq(&of_answer(
        Kind::Complexity,
        &envelope,
        None,
        &[],
        Screen::default(),
    ));
}
