//! Decodes bytes to text, and classifies files by content. Pure.

use std::borrow::Cow;

/// How the bytes of a file were decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// With or without a byte order mark.
    Utf8,
    /// With a byte order mark, of either order. Lone surrogates become U+FFFD.
    Utf16,
    /// Not valid UTF-8: one character per byte, so that lines and columns match the file.
    Latin1,
}

/// Properties of a file's content, cached with its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `None`: binary.
    pub(super) encoding: Option<Encoding>,
    pub(super) generated: bool,
}

/// Git searches as many bytes for a NUL.
const BINARY_WINDOW: usize = 8_000;
/// Markers of generated code are at the top: below a licence header, above the code.
const GENERATED_WINDOW_BYTES: usize = 4_096;
const GENERATED_WINDOW_LINES: usize = 30;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";
const UTF16_LE_BOM: &[u8] = b"\xff\xfe";
const UTF16_BE_BOM: &[u8] = b"\xfe\xff";
const UTF32_LE_BOM: &[u8] = b"\xff\xfe\0\0";

pub(super) fn inspect(bytes: &[u8]) -> Verdict {
    let encoding = encoding_of(bytes);
    let generated = encoding.is_some_and(|encoding| {
        let window = bytes.len().min(GENERATED_WINDOW_BYTES);
        says_generated(&decode_as(&bytes[..window], encoding))
    });
    Verdict {
        encoding,
        generated,
    }
}

/// `None`: binary.
pub(super) fn decode(bytes: Vec<u8>) -> Option<(String, Encoding)> {
    let encoding = encoding_of(&bytes)?;
    if encoding == Encoding::Utf8 && !bytes.starts_with(UTF8_BOM) {
        // Does not copy. The check is repeated, but it is cheap.
        return match String::from_utf8(bytes) {
            Ok(text) => Some((text, encoding)),
            Err(error) => Some((latin1(error.as_bytes()), Encoding::Latin1)),
        };
    }
    Some((decode_as(&bytes, encoding).into_owned(), encoding))
}

fn encoding_of(bytes: &[u8]) -> Option<Encoding> {
    if bytes.starts_with(UTF32_LE_BOM) {
        return None;
    }
    if bytes.starts_with(UTF16_LE_BOM) || bytes.starts_with(UTF16_BE_BOM) {
        return Some(Encoding::Utf16);
    }
    if memchr::memchr(0, &bytes[..bytes.len().min(BINARY_WINDOW)]).is_some() {
        return None;
    }
    if std::str::from_utf8(bytes).is_ok() {
        return Some(Encoding::Utf8);
    }
    Some(Encoding::Latin1)
}

fn decode_as(bytes: &[u8], encoding: Encoding) -> Cow<'_, str> {
    match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(bytes.strip_prefix(UTF8_BOM).unwrap_or(bytes)),
        Encoding::Utf16 => utf16(bytes).into(),
        Encoding::Latin1 => latin1(bytes).into(),
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn utf16(bytes: &[u8]) -> String {
    let little = bytes.starts_with(UTF16_LE_BOM);
    let units = bytes[2..].chunks(2).map(|pair| match *pair {
        [low, high] if little => u16::from_le_bytes([low, high]),
        [high, low] => u16::from_be_bytes([high, low]),
        // Half a code unit at the end of a truncated file: an unpaired surrogate, which decodes as U+FFFD.
        _ => 0xd800,
    });
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// True if a comment in the first lines has a marker of generated code: `@generated`, or "generated" with "do not edit"
/// on the same or the next comment line (for example Go's `Code generated … DO NOT EDIT.`). A comment that only
/// mentions generated code does not count.
fn says_generated(head: &str) -> bool {
    let mut before = Marks::default();
    for line in head.lines().take(GENERATED_WINDOW_LINES) {
        let Some(comment) = comment_of(line) else {
            before = Marks::default();
            continue;
        };
        let marks = Marks::of(comment);
        let says_both =
            (marks.generated || before.generated) && (marks.hands_off || before.hands_off);
        if marks.tag || says_both {
            return true;
        }
        before = marks;
    }
    false
}

#[derive(Default, Clone, Copy)]
struct Marks {
    tag: bool,
    generated: bool,
    hands_off: bool,
}

impl Marks {
    fn of(comment: &str) -> Self {
        let lower = comment.to_ascii_lowercase();
        let hands_off = [
            "do not edit",
            "do not modify",
            "do not change",
            "don't edit",
            "do not alter",
        ];
        Self {
            tag: has_tag(comment),
            generated: lower.contains("generated"),
            hands_off: hands_off.iter().any(|words| lower.contains(words)),
        }
    }
}

/// `@generated` as a word at the start of the comment or after white space: not quoted, and not `@generatedFrom`.
fn has_tag(comment: &str) -> bool {
    const TAG: &str = "@generated";
    comment.match_indices(TAG).any(|(at, _)| {
        let before = comment[..at].chars().next_back();
        let after = comment[at + TAG.len()..].chars().next();
        before.is_none_or(char::is_whitespace)
            && after.is_none_or(|c| c.is_whitespace() || matches!(c, '.' | ',' | ':' | ';' | '*'))
    })
}

/// The text after the comment marker, if the whole line is a comment.
fn comment_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let marks = [
        "//", "/*", "*", "#", "--", ";", "<!--", "\"\"\"", "'''", "=begin",
    ];
    let mark = marks.iter().find(|mark| line.starts_with(**mark))?;
    Some(line[mark.len()..].trim_start_matches(['/', '*', '#', '!', '-', ' ', '\t']))
}

#[cfg(test)]
#[path = "tests/text.rs"]
mod tests;
