//! Tables of texts, and the results of their analysis.

use super::{FileAnalysis, Language, Profile, analyze, metrics};

mod broken;
mod c;
mod outlines;
mod script;
mod versions;

fn of(language: Language, text: &str) -> FileAnalysis {
    analyze(language, text, &|| false).expect("nobody cancels")
}

/// `name 1-4 2/1`: lines, cyclomatic and cognitive complexity.
fn functions(analysis: &FileAnalysis) -> Vec<String> {
    let scores = metrics::own(analysis, Profile::Strict);
    let functions = analysis.functions.iter().zip(&scores);
    functions
        .map(|(function, score)| {
            format!(
                "{} {}-{} {}/{}",
                function.qualified_name,
                function.start_line,
                function.end_line,
                score.cyclomatic,
                score.cognitive
            )
        })
        .collect()
}

/// `Function name 1-4`.
fn symbols(analysis: &FileAnalysis) -> Vec<String> {
    let symbols = analysis.symbols.iter();
    symbols
        .map(|symbol| {
            format!(
                "{:?} {} {}-{}",
                symbol.kind, symbol.qualified_name, symbol.start_line, symbol.end_line
            )
        })
        .collect()
}

#[track_caller]
fn check_functions(language: Language, text: &str, expected: &[&str]) {
    let analysis = of(language, text);
    assert_eq!(functions(&analysis), expected, "{text}");
}

/// The same, and no part of it is broken.
#[track_caller]
fn check_clean(language: Language, text: &str, expected: &[&str]) {
    let analysis = of(language, text);
    assert_eq!(functions(&analysis), expected, "{text}");
    assert!(
        analysis.syntax.is_clean(),
        "{:?} in {text}",
        analysis.syntax
    );
    assert!(analysis.functions.iter().all(|one| !one.recovered));
}

#[track_caller]
fn check_symbols(language: Language, text: &str, expected: &[&str]) {
    let analysis = of(language, text);
    assert_eq!(symbols(&analysis), expected, "{text}");
}
