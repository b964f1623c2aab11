//! A declaration on one line, without comments, with folded white space, and bounded.

/// Longest signature in characters: enough for a long parameter list, short enough for a page of fifty.
pub(super) const SIGNATURE_LIMIT: usize = 240;

/// Cuts at [`SIGNATURE_LIMIT`] with `…`; removes the start of a body (`{`, `:`, `=`) at the end.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len().min(SIGNATURE_LIMIT));
    let mut length = 0;
    let mut is_space_due = false;
    let mut quote = None;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if quote.is_none()
            && (next.is_whitespace() || rest.starts_with("//") || rest.starts_with("/*"))
        {
            rest = skip_blank(rest);
            is_space_due = !folded.is_empty();
            continue;
        }
        if length >= SIGNATURE_LIMIT {
            folded.push('…');
            return folded;
        }
        if std::mem::take(&mut is_space_due) {
            folded.push(' ');
            length += 1;
        }
        if quote == Some(next) {
            quote = None;
        } else if quote.is_none() && matches!(next, '"' | '`') {
            quote = Some(next);
        }
        folded.push(next);
        length += 1;
        rest = &rest[next.len_utf8()..];
    }
    tidy(&folded)
}

/// Skips white space or one comment.
fn skip_blank(text: &str) -> &str {
    let end = if text.starts_with("//") {
        memchr::memchr(b'\n', text.as_bytes())
    } else if text.starts_with("/*") {
        text.get(2..)
            .and_then(|rest| rest.find("*/"))
            .map(|end| end + 4)
    } else {
        text.find(|c: char| !c.is_whitespace())
    };
    end.and_then(|end| text.get(end..)).unwrap_or_default()
}

fn tidy(folded: &str) -> String {
    let mut text = folded.trim_end();
    for end in ["{", "=>", "=", ":", ";", ","] {
        text = text.strip_suffix(end).unwrap_or(text).trim_end();
    }
    // Remains of a list over several lines after folding.
    text.replace("( ", "(")
        .replace(" )", ")")
        .replace(",)", ")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, folded: &str) {
        assert_eq!(fold(text), folded);
    }

    #[test]
    fn a_signature_is_one_line_without_comments() {
        check(
            "fn  a(\n    b: u8, // why\n    c: u8,\n) -> u8 {",
            "fn a(b: u8, c: u8) -> u8",
        );
        check(
            "def f(a, /* no */ url=\"http://x\"):",
            "def f(a, url=\"http://x\")",
        );
        check("const x =", "const x");
        check("struct A;", "struct A");
    }

    proptest::proptest! {
        #[test]
        fn it_is_bounded_and_has_no_line_break(text in ".{0,400}") {
            let folded = fold(&text);
            proptest::prop_assert!(folded.chars().count() <= SIGNATURE_LIMIT + 2);
            proptest::prop_assert!(!folded.contains('\n') || text.contains(['"', '`']));
        }
    }
}
