//! Makes foreign text (file names, source code, labels) safe for terminals, logs and models: one line, without
//! characters that move the cursor, change the writing direction or are invisible. Escaped text stays readable: a line
//! break becomes `\n`, a direction mark `\u{202e}`.

use std::borrow::Cow;
use std::fmt::Write;

/// Invisible characters besides the control characters: line and paragraph separators, direction marks, joiners,
/// fillers, variation selectors and tags. They are Unicode's `Default_Ignorable_Code_Point` and `Bidi_Control`, and
/// everything that a terminal treats as a line break. Sorted.
const UNSEEN: [(char, char); 16] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Escapes text to one line. Text that is already escaped stays as it is.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_unseen)
}

/// As [`line()`], but keeps line breaks, which the program itself wrote.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_unseen(c))
}

/// Escapes JSON. Such characters occur only inside strings, and a parser reads the same values as before.
pub fn json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unseen(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let after = UNSEEN.partition_point(|(first, _)| *first <= c);
    let listed = after.checked_sub(1).is_some_and(|at| c <= UNSEEN[at].1);
    listed || c.is_control()
}

fn escaped(text: &str, unseen: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&unseen) else {
        return Cow::Borrowed(text);
    };
    let mut safe = String::with_capacity(text.len() + 16);
    safe.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            _ if !unseen(c) => safe.push(c),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            // Writing to a string cannot fail.
            _ => drop(write!(safe, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misleading_characters_are_escaped() {
        for (hostile, shown) in [
            ("a\nsession_id=x", "a\\nsession_id=x"),
            ("a\r\tb", "a\\r\\tb"),
            ("\u{1b}[2Ja", "\\u{1b}[2Ja"),
            ("\u{9b}2J\u{7f}\0", "\\u{9b}2J\\u{7f}\\u{0}"),
            ("a\u{2028}b\u{85}c", "a\\u{2028}b\\u{85}c"),
            ("\u{202e}sj.tset\u{2069}", "\\u{202e}sj.tset\\u{2069}"),
            (
                "a\u{200b}\u{feff}\u{e0041}",
                "a\\u{200b}\\u{feff}\\u{e0041}",
            ),
            ("❤\u{fe0f}\u{fe10}", "❤\\u{fe0f}\u{fe10}"),
        ] {
            assert_eq!(line(hostile), shown);
        }
        for fine in [
            "",
            "src/größe.rs",
            "名前 ’x’.py",
            "a\\nb",
            "🦀",
            "\u{a0}\u{fffd}",
        ] {
            assert!(matches!(line(fine), Cow::Borrowed(_)), "{fine}");
        }
        assert_eq!(json("\"a\u{202e}\u{e0041}\""), r#""a\u202e\udb40\udc41""#);
        assert_eq!(lines("a\nb\r\n\u{1b}c"), "a\nb\\r\n\\u{1b}c");
    }

    #[test]
    fn exactly_the_listed_characters_are_escaped() {
        assert!(UNSEEN.is_sorted_by(|a, b| a.1 < b.0));
        for (first, last) in UNSEEN {
            assert!(is_unseen(first) && is_unseen(last));
            let before = char::from_u32(u32::from(first) - 1).expect("a character");
            let after = char::from_u32(u32::from(last) + 1).expect("a character");
            assert!(
                !is_unseen(before) && !is_unseen(after),
                "{first:?} {last:?}"
            );
        }
        for c in '\0'..=char::MAX {
            let shown = line(c.encode_utf8(&mut [0; 4])).into_owned();
            assert_eq!(line(&shown), shown, "{c:?} escaped twice");
            assert!(!shown.contains(['\n', '\r', '\u{1b}', '\u{85}', '\u{2028}', '\u{202e}']));
        }
    }
}
