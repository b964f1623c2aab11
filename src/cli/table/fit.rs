//! Text made to fit: how wide it is, cut in its middle, broken between words. Pure.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands for what was cut out.
const CUT: char = '…';

pub(in crate::cli) fn width(text: &str) -> usize {
    text.width()
}

/// No wider than `room`: what stands in the middle gives way, so that both ends are seen. A path keeps its last part
/// (the file, and the line) as long as there is room for it.
pub(super) fn elided(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let room = room.saturating_sub(1);
    let last = text.rfind('/').map_or("", |at| &text[at..]);
    let ending = match last.is_empty() || width(last) > room {
        true => ending_of(text, room - room / 3),
        false => last,
    };
    let beginning = beginning_of(text, room - width(ending));
    format!("{beginning}{CUT}{ending}")
}

fn beginning_of(text: &str, room: usize) -> &str {
    let mut left = room;
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            return &text[..at];
        }
        left -= wide;
    }
    text
}

fn ending_of(text: &str, room: usize) -> &str {
    let mut left = room;
    for (at, c) in text.char_indices().rev() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            return &text[at + c.len_utf8()..];
        }
        left -= wide;
    }
    text
}

/// Lines of whole words, none wider than `room`; a word that is wider is cut in its middle.
pub(in crate::cli) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let word = elided(word, room);
        if !line.is_empty() && width(&line) + 1 + width(&word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_gives_way_and_the_file_with_its_line_stays() {
        for text in [
            "a_rather_long_name",
            "src/deep/down/there/file.rs:12",
            "src/a_very_long_name_of_a_file.rs:12",
            "日本語日本語日本語",
        ] {
            for room in 1..40 {
                assert!(width(&elided(text, room)) <= room, "{text} in {room}");
            }
            assert_eq!(elided(text, 40), text);
        }
        assert_eq!(elided("a_rather_long_name", 10), "a_r…g_name");
        assert_eq!(
            elided("src/deep/down/there/file.rs:12", 20),
            "src/deep…/file.rs:12"
        );
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one", 7), ["one"]);
        assert_eq!(wrapped("antidisestablishmentarianism", 9), ["an…ianism"]);
        assert_eq!(wrapped("", 9), [""]);
    }
}
