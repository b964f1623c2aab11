//! Properties of the metrics for any text.

use proptest::prelude::*;

use crate::analysis::{FileAnalysis, Language, Profile, analyze, metrics};

const SNIPPETS: [(Language, &str); 8] = [
    (
        Language::C,
        "#if A\nint f(int a) { if (a && 1) { goto x; } else { for (;;) { } } x: return 'c' ? 1 : 2; }\n#endif\n/* c */\n",
    ),
    (
        Language::Go,
        "package p\n\nfunc (s *S) F(a, b int) { switch { case a > 1: go func() { F(1) }() } } // c\nvar s = `a\nb`\n",
    ),
    (
        Language::Java,
        "class A { static { } int f(int a) { try { return a > 1 ? f(a) : 2; } catch (E e) { throw e; } } }\n// c\n",
    ),
    (
        Language::JavaScript,
        "const f = async (a = 1) => { for (const b of a) { if (b?.c) return `x${b ?? (() => 1)}`; } };\n/* c\n*/\n",
    ),
    (
        Language::Python,
        "class A:\n    def f(self, a):\n        '''doc'''\n        return [x for x in a if x and f'{x!r:>{a}}'] # c\n\n",
    ),
    (
        Language::Rust,
        "impl A { /// doc\n fn f(&self) -> R { match self { A(x) if x => g(|y| y && x)?, _ => loop { } } } }\n",
    ),
    (
        Language::TypeScript,
        "namespace N { class A<T> { constructor(private x = 1) { } f(): void { this.f?.() } } }\n",
    ),
    (
        Language::Tsx,
        "export default function V({ a }: P) { return <b x={a ? 1 : () => 2}>t {a && 1}</b>; }\n",
    ),
];

fn check(language: Language, text: &str) -> Result<(), TestCaseError> {
    let file = analyze(language, text, &|| false).expect("not cancelled");
    lines_add_up(&file, text)?;
    for profile in Profile::ALL {
        totals_add_up(&file, profile)?;
    }
    for function in &file.functions {
        prop_assert!(function.start_line <= function.end_line);
        prop_assert!(function.lines.sloc == function.end_line - function.start_line + 1);
        prop_assert!(function.lines.ploc + function.lines.blank <= function.lines.sloc);
        prop_assert!(function.lines.cloc + function.lines.blank <= function.lines.sloc);
        prop_assert!(function.halstead.n1 <= function.halstead.big_n1);
        prop_assert!(function.halstead.n2 <= function.halstead.big_n2);
        prop_assert!(text.get(function.span.clone()).is_some());
        let parent = function
            .parent
            .map(|parent| &file.functions[parent as usize]);
        let inside = parent.is_none_or(|parent| {
            parent.span.start <= function.span.start && function.span.end <= parent.span.end
        });
        prop_assert!(inside);
    }
    Ok(())
}

fn lines_add_up(file: &FileAnalysis, text: &str) -> Result<(), TestCaseError> {
    let lines = file.lines;
    // A single carriage return ends a line in some languages, and in all if the text has no other line ends.
    let bare = text.replace("\r\n", "\n").replace('\r', "\n");
    let counted = lines.sloc as usize;
    prop_assert!(counted >= text.split_inclusive('\n').count());
    prop_assert!(counted <= bare.split_inclusive('\n').count());
    let comment_only = lines.sloc - lines.ploc - lines.blank;
    prop_assert!(comment_only <= lines.cloc);
    prop_assert!(lines.cloc + lines.blank <= lines.sloc);
    Ok(())
}

/// total = own + Σ total(nested), with `own` counted without folding.
fn totals_add_up(file: &FileAnalysis, profile: Profile) -> Result<(), TestCaseError> {
    let totals = metrics::totals(file, profile);
    let own = metrics::own(file, profile);
    for (index, function) in file.functions.iter().enumerate() {
        let nested = |scores: &[metrics::Scores]| -> u32 {
            let inside = file.functions.iter().zip(scores);
            inside
                .filter(|(inner, _)| inner.parent == u32::try_from(index).ok())
                .map(|(_, score)| score.cyclomatic)
                .sum()
        };
        let base = 1 + profile.weigh(file.language, &function.decisions);
        prop_assert_eq!(totals[index].cyclomatic, base + nested(&totals));
        prop_assert!(own[index].cyclomatic >= base);
        prop_assert!(own[index].cyclomatic <= totals[index].cyclomatic);
    }
    Ok(())
}

fn snippet() -> impl Strategy<Value = (Language, &'static str)> {
    prop::sample::select(SNIPPETS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text((language, _) in snippet(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(language, &String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn truncated((language, text) in snippet(), at in any::<prop::sample::Index>()) {
        let end = text.floor_char_boundary(at.index(text.len() + 1));
        check(language, &text[..end])?;
    }

    #[test]
    fn mutated((language, text) in snippet(), edits in prop::collection::vec((any::<prop::sample::Index>(), "[(){}\\[\\]'\"`;:,.?&|<>=a \n]"), 1..8)) {
        let mut mutated = text.to_owned();
        for (at, with) in edits {
            let at = at.index(mutated.len());
            mutated.replace_range(at..=at, &with);
        }
        check(language, &mutated)?;
    }

    #[test]
    fn doubled((language, text) in snippet(), (_, other) in snippet()) {
        check(language, &format!("{text}{other}{text}"))?;
        check(language, &text.replace('\n', "\r\n"))?;
    }
}
