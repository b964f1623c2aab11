use super::*;

fn code(language: Language, text: &str) -> Code<'_> {
    Code::new(language, text, &|| false).expect("nobody cancels")
}

/// The definition: a bracket closes the innermost open one of its kind, and open brackets inside of that have no pair.
fn pairs_by_search(code: &Code<'_>) -> Vec<Option<usize>> {
    let mut pairs = vec![None; code.len()];
    let mut open: Vec<(usize, Bracket)> = Vec::new();
    for at in 0..code.len() {
        match code.kind(at) {
            Some(TokenKind::Open(bracket)) => open.push((at, bracket)),
            Some(TokenKind::Close(bracket)) => {
                if let Some(found) = open.iter().rposition(|(_, opened)| *opened == bracket) {
                    let (opened, _) = open[found];
                    open.truncate(found);
                    (pairs[at], pairs[opened]) = (Some(opened), Some(at));
                }
            }
            _ => {}
        }
    }
    pairs
}

proptest::proptest! {
    #[test]
    fn a_bracket_closes_the_innermost_of_its_kind(text in "[(){}\\[\\]a]{0,40}") {
        let code = code(Language::Go, &text);
        let pairs: Vec<_> = (0..code.len()).map(|at| code.partner(at)).collect();
        proptest::prop_assert_eq!(pairs, pairs_by_search(&code));
    }

    #[test]
    fn no_angles_break_it(text in "[<>=()a,` ]{0,40}") {
        let code = code(Language::TypeScript, &text);
        for at in 0..code.len() {
            let _ = (code.angles(at), code.angles_back(at));
        }
    }
}

#[test]
fn an_arrow_closes_no_angle() {
    let code = code(Language::TypeScript, "f: F<number> = x=>a<b=>c");
    let at = |written: &str, from: usize| {
        let found = (from..code.len()).find(|at| code.written(*at) == written);
        found.expect("it is there")
    };
    let closing = at(">", 0);
    assert_eq!(code.angles_back(closing), Some(at("<", 0)));
    let arrow = at(">", closing + 1);
    assert_eq!(code.angles_back(arrow), None);
    assert_eq!(code.angles_back(at(">", arrow + 1)), None);
}

/// A million brackets that close nothing: if each searched all open brackets, this would take minutes.
#[test]
fn brackets_that_close_nothing_cost_no_search() {
    let text = format!("{}{}", "(".repeat(500_000), "]".repeat(500_000));
    let code = code(Language::Go, &text);
    assert!((0..code.len()).all(|at| code.partner(at).is_none()));
}

#[test]
fn building_it_can_be_stopped() {
    let text = "a ".repeat(100_000);
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 3
    };
    assert!(Code::new(Language::C, &text, &stop).is_err());
    assert_eq!(looks.get(), 4);
}
