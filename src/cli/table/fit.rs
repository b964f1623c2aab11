//! Measures text and wraps it. Nothing is left out. Pure.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters after which a name may be wrapped; the second list is used if the first is not enough.
const BREAKS: [&[char]; 2] = [&['/', ':', ' '], &['.', '_', '-', ',', '<', '(']];

pub(in crate::cli) fn width(text: &str) -> usize {
    text.width()
}

/// Wraps a path or a qualified name into lines of at most `room`: between its parts, and inside a part only if that is
/// wider.
pub(super) fn broken(text: &str, room: usize) -> Vec<String> {
    filled(&pieces(text, room, &BREAKS), room)
}

/// Wraps text between words into lines of at most `room`; a wider word is wrapped like a name.
pub(in crate::cli) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width(&line) + 1 + width(word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        if width(word) <= room {
            line.push_str(word);
            continue;
        }
        let mut parts = broken(word, room);
        line = parts.pop().unwrap_or_default();
        lines.append(&mut parts);
    }
    lines.push(line);
    lines
}

/// Parts no wider than `room`, each with the mark that ends it.
fn pieces<'t>(text: &'t str, room: usize, breaks: &[&[char]]) -> Vec<&'t str> {
    let Some((marks, finer)) = breaks.split_first() else {
        return chunks(text, room);
    };
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(*marks).map_or(rest.len(), |at| {
            // `::` is one mark, and a line number stays with its file.
            let behind = rest[at..].trim_start_matches(*marks);
            let is_line = rest[at..].starts_with(':') && !rest[at..].starts_with("::");
            match is_line && behind.starts_with(|c: char| c.is_ascii_digit()) {
                true => rest.len(),
                false => rest.len() - behind.len(),
            }
        });
        let (piece, behind) = rest.split_at(end);
        match width(piece) <= room {
            true => pieces.push(piece),
            false => pieces.extend(self::pieces(piece, room, finer)),
        }
        rest = behind;
    }
    pieces
}

/// As many characters as fit, at least one.
fn chunks(text: &str, room: usize) -> Vec<&str> {
    let mut chunks = Vec::new();
    let (mut start, mut taken) = (0, 0);
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or(0);
        if at > start && taken + wide > room {
            chunks.push(&text[start..at]);
            (start, taken) = (at, 0);
        }
        taken += wide;
    }
    chunks.push(&text[start..]);
    chunks
}

fn filled(pieces: &[&str], room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if line.is_empty() || width(line) + width(piece) <= room => {
                line.push_str(piece);
            }
            Some(_) | None => lines.push((*piece).to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_broken_between_its_parts_and_nothing_is_lost() {
        for text in [
            "a_rather_long_name",
            "src/deep/down/there/file.rs:12",
            "src/a_very_long_name_of_a_file.rs:12",
            "analysis::Walker<'a, T>::walk",
            "日本語日本語日本語",
            "",
        ] {
            for room in 2..40 {
                let lines = broken(text, room);
                assert_eq!(lines.concat(), text, "in {room}");
                let widest = lines.iter().map(|line| width(line)).max();
                assert!(widest <= Some(room), "{lines:?} in {room}");
            }
            assert_eq!(broken(text, 40), [text]);
        }
        let check = |text, room, lines: &[&str]| assert_eq!(broken(text, room), lines);
        check(
            "src/deep/down/there/file.rs:12",
            16,
            &["src/deep/down/", "there/file.rs:12"],
        );
        check(
            "logs/2024/07/file.rs:12",
            12,
            &["logs/2024/", "07/", "file.rs:12"],
        );
        check("a_rather_long_name", 10, &["a_rather_", "long_name"]);
        check("one::two::three", 11, &["one::two::", "three"]);
        check("unbreakable", 5, &["unbre", "akabl", "e"]);
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one", 7), ["one"]);
        assert_eq!(
            wrapped("see src/answer/page.rs now", 11),
            ["see", "src/answer/", "page.rs now"]
        );
        assert_eq!(wrapped("", 9), [""]);
    }
}
