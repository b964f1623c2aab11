//! Syntax that a grammar does not know, and its replacement of the same length, so that all offsets and lines stay the
//! same.
//!
//! Each language has a table of masks. They are used only after a file did not parse. A mask with a `sign` is an
//! exception: its syntax is misread without an error, so a file with the sign is read with the mask at once.

use std::ops::Range;

use super::code::Code;
use super::conditionals::blank_into;
use super::tokens::TOKENS_PER_CHECK;
use crate::analysis::{Cancelled, Language};

mod c;
mod declarations;
mod go;
mod java;
mod python;
mod rust;
mod script;

/// A piece of syntax that a grammar does not know.
pub(super) struct Mask {
    /// The syntax, and why it is masked.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the table explains itself; tests print it")
    )]
    pub(super) what: &'static str,
    /// Text that shows that the syntax may be present, if the grammar misreads it without an error.
    sign: Option<&'static str>,
    /// Checks one token.
    at: fn(&Code<'_>, usize, &mut Edits),
}

const fn mask(what: &'static str, at: fn(&Code<'_>, usize, &mut Edits)) -> Mask {
    Mask {
        what,
        sign: None,
        at,
    }
}

pub(super) fn table(language: Language) -> &'static [Mask] {
    match language {
        Language::C => c::MASKS,
        Language::Go => go::MASKS,
        Language::Java => java::MASKS,
        Language::JavaScript | Language::TypeScript | Language::Tsx => script::MASKS,
        Language::Python => python::MASKS,
        Language::Rust => rust::MASKS,
    }
}

/// The edits before the first reading.
pub(super) fn signed(
    language: Language,
    text: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<Edits, Cancelled> {
    let is_signed = |mask: &Mask| {
        mask.sign
            .is_some_and(|sign| memchr::memmem::find(text.as_bytes(), sign.as_bytes()).is_some())
    };
    let mut edits = Edits::default();
    if table(language).iter().any(is_signed) {
        let code = Code::new(language, text, cancelled)?;
        for mask in table(language).iter().filter(|mask| is_signed(mask)) {
            edits.find(&code, mask, cancelled)?;
        }
    }
    Ok(edits)
}

/// The edits of all masks of the language.
pub(super) fn all(code: &Code<'_>, cancelled: &dyn Fn() -> bool) -> Result<Edits, Cancelled> {
    let mut edits = Edits::default();
    for mask in table(code.language) {
        edits.find(code, mask, cancelled)?;
    }
    Ok(edits)
}

/// A replacement in the text.
#[derive(Debug, Default)]
pub(super) struct Edits {
    found: Vec<Edit>,
    /// Left out of the text, and parsed separately.
    pub(super) apart: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Edit {
    span: Range<usize>,
    /// The text at its start; the rest is blank.
    instead: std::borrow::Cow<'static, str>,
}

impl Edits {
    fn find(
        &mut self,
        code: &Code<'_>,
        mask: &Mask,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), Cancelled> {
        for at in 0..code.len() {
            if at.is_multiple_of(TOKENS_PER_CHECK) && cancelled() {
                return Err(Cancelled);
            }
            (mask.at)(code, at, self);
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty() && self.apart.is_empty()
    }

    fn write(&mut self, span: Range<usize>, instead: &'static str) {
        self.found.push(Edit {
            span,
            instead: instead.into(),
        });
    }

    /// Replaces tokens `first` to `last`.
    fn blank(&mut self, code: &Code<'_>, first: usize, last: usize) {
        if let (Some(first), Some(last)) = (code.token(first), code.token(last)) {
            self.write(first.span.start..last.span.end, "");
        }
    }

    /// Replaces one token with a text that is not longer.
    fn replace(&mut self, code: &Code<'_>, at: usize, instead: &'static str) {
        if let Some(token) = code.token(at) {
            self.write(token.span.clone(), instead);
        }
    }

    /// Replaces one name with another.
    fn rename(&mut self, code: &Code<'_>, at: usize) {
        let Some(token) = code.token(at) else { return };
        let mut name = code.written(at).to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        self.found.push(Edit {
            span: token.span.clone(),
            instead: name.into(),
        });
    }

    /// Puts a semicolon before a token, over white space; false if there is none.
    fn end_before(&mut self, code: &Code<'_>, at: usize) -> bool {
        let Some(start) = code.token(at).map(|token| token.span.start) else {
            return false;
        };
        let Some(before) = start.checked_sub(1) else {
            return false;
        };
        let is_space = matches!(code.text.as_bytes()[before], b' ' | b'\t');
        if is_space {
            self.write(before..start, ";");
        }
        is_space
    }

    /// The removed ranges, in source order and without overlap.
    pub(super) fn blanks(&self) -> Vec<Range<usize>> {
        let blank = self.found.iter().filter(|edit| edit.instead.is_empty());
        super::conditionals::merged(blank.map(|edit| edit.span.clone()).collect())
    }

    /// The text to parse, of the same length.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for edit in self.found.iter().filter(|edit| edit.instead.is_empty()) {
            blank_into(&mut bytes, &edit.span);
        }
        for edit in self.found.iter().filter(|edit| !edit.instead.is_empty()) {
            let length = edit.instead.len();
            if length > edit.span.len() || !is_kept(&bytes, text, &edit.span) {
                continue;
            }
            let (start, end) = (edit.span.start, edit.span.end);
            bytes[start..start + length].copy_from_slice(edit.instead.as_bytes());
            blank_into(&mut bytes, &(start + length..end));
        }
        for span in &self.apart {
            blank_into(&mut bytes, span);
        }
        String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
    }
}

/// Whether no other mask has edited the range.
fn is_kept(bytes: &[u8], text: &str, span: &Range<usize>) -> bool {
    bytes[span.clone()] == text.as_bytes()[span.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mask_has_a_unique_description() {
        for language in Language::ALL {
            let mut said: Vec<&str> = table(language).iter().map(|mask| mask.what).collect();
            said.sort_unstable();
            let count = said.len();
            said.dedup();
            assert_eq!(said.len(), count, "{language:?}");
            assert!(said.iter().all(|what| what.len() > 3), "{language:?}");
        }
    }
    fn edits(language: Language, text: &str) -> usize {
        let code = Code::new(language, text, &|| false).expect("nobody cancels");
        let edits = all(&code, &|| false).expect("nobody cancels");
        edits.found.len()
    }

    /// A mask reads no further than its reach from one token, so a file of such beginnings is read in time.
    #[test]
    fn no_mask_reads_beyond_its_reach() {
        let sums = |count: usize| "1 + ".repeat(count);
        let words = |count: usize| "a ".repeat(count);
        let rust = |text: String| edits(Language::Rust, &text);
        let alias = |count| rust(format!("trait A = {} B;", "B + ".repeat(count)));
        assert_eq!((alias(3), alias(1000)), (1, 0));
        let field = |count| rust(format!("struct A {{ a: u8 = {}1, b: u8 }}", sums(count)));
        assert_eq!((field(3), field(1000)), (1, 0));
        let is_outside = |count: usize| {
            let text = format!("{}int f;", "extern \"C\" {".repeat(count));
            let code = Code::new(Language::C, &text, &|| false).expect("nobody cancels");
            declarations::is_outside(&code, code.len() - 1)
        };
        assert_eq!((is_outside(3), is_outside(1100)), (true, false));
        let new = |count| edits(Language::Go, &format!("x := new({}+ 1)", words(count)));
        assert_eq!((new(3), new(1100)), (1, 0));
    }
}
