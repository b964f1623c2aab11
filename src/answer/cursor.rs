//! Cursors: stateless and sealed. A cursor contains digests of the arguments and of the inputs, and its position, so
//! any node can continue from it and no node stores it.
//!
//! The seal is a digest of the content, not a secret. A cursor grants no access: every page checks its caller. The seal
//! only detects damaged and invented cursors. A secret key of the process would make cursors invalid after a restart
//! and on other nodes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Failure;

const CONTEXT: &str = "mcp-code-analysis 2026 page cursor seal";
const SEAL_LEN: usize = 8;
const DIGEST_LEN: usize = 8;
const MARK_LEN: usize = 16;
const LEN: usize = 2 * DIGEST_LEN + MARK_LEN + SEAL_LEN;

/// A shortened digest: enough to tell one set of arguments or inputs from another.
pub(crate) type Short = [u8; DIGEST_LEN];

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Digest of the tool's name and of the arguments that select the rows.
    pub(crate) arguments: Short,
    /// Digest of everything that was read.
    pub(crate) inputs: Short,
    /// The number of rows on earlier pages (analyses), or the id of the last row (lists).
    pub(crate) mark: u128,
}

impl Cursor {
    pub(crate) fn seal(&self) -> String {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend_from_slice(&self.arguments);
        bytes.extend_from_slice(&self.inputs);
        bytes.extend_from_slice(&self.mark.to_le_bytes());
        let seal = seal_of(&bytes);
        bytes.extend_from_slice(&seal);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Fails with `invalid_cursor`, or with `cursor_mismatch` if the cursor belongs to other arguments.
    pub(crate) fn open(text: &str, arguments: Short) -> Result<Self, Failure> {
        let cursor = Self::parse(text)
            .ok_or_else(|| Failure::new("invalid_cursor", "the cursor is invalid"))?;
        if cursor.arguments != arguments {
            return Err(Failure::new(
                "cursor_mismatch",
                "the cursor belongs to a call with other arguments",
            ));
        }
        Ok(cursor)
    }

    /// Fails with `cursor_stale` if the inputs have changed since the first page.
    pub(crate) fn check_inputs(&self, inputs: Short) -> Result<(), Failure> {
        if self.inputs == inputs {
            return Ok(());
        }
        Err(Failure::new(
            "cursor_stale",
            "files have changed since the first page",
        ))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; LEN] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (content, seal) = bytes.split_at(LEN - SEAL_LEN);
        if seal_of(content) != seal {
            return None;
        }
        let (arguments, rest) = content.split_at(DIGEST_LEN);
        let (inputs, mark) = rest.split_at(DIGEST_LEN);
        Some(Self {
            arguments: arguments.try_into().ok()?,
            inputs: inputs.try_into().ok()?,
            mark: u128::from_le_bytes(mark.try_into().ok()?),
        })
    }
}

/// The digest of any text: an input digest, or the canonical form of arguments.
pub(crate) fn short(text: &str) -> Short {
    let mut short = [0; DIGEST_LEN];
    short.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..DIGEST_LEN]);
    short
}

fn seal_of(content: &[u8]) -> [u8; SEAL_LEN] {
    let mut seal = [0; SEAL_LEN];
    seal.copy_from_slice(&blake3::derive_key(CONTEXT, content)[..SEAL_LEN]);
    seal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor(arguments: &str, inputs: &str, mark: u128) -> Cursor {
        Cursor {
            arguments: short(arguments),
            inputs: short(inputs),
            mark,
        }
    }

    #[test]
    fn other_arguments_and_other_inputs_have_other_errors() {
        let sealed = cursor("a", "files", 50).seal();
        let opened = Cursor::open(&sealed, short("a")).unwrap();
        assert_eq!(opened.mark, 50);
        assert!(opened.check_inputs(short("files")).is_ok());
        assert_eq!(
            opened.check_inputs(short("other")).unwrap_err().reason,
            "cursor_stale"
        );
        assert_eq!(
            Cursor::open(&sealed, short("b")).unwrap_err().reason,
            "cursor_mismatch"
        );
    }

    proptest! {
        #[test]
        fn a_sealed_cursor_opens(args in ".*", inputs in ".*", mark: u128) {
            let cursor = cursor(&args, &inputs, mark);
            prop_assert_eq!(Cursor::open(&cursor.seal(), cursor.arguments), Ok(cursor));
        }

        #[test]
        fn any_change_is_detected(mark: u64, at in 0_usize..53, with in "[A-Za-z0-9_-]") {
            let sealed = cursor("a", "b", mark.into()).seal();
            let mut changed = sealed.clone();
            changed.replace_range(at..=at, &with);
            prop_assume!(changed != sealed);
            let error = Cursor::open(&changed, short("a")).unwrap_err();
            prop_assert_eq!(error.reason, "invalid_cursor");
        }

        #[test]
        fn other_text_is_refused(text in ".{0,200}") {
            prop_assert!(Cursor::open(&text, short("a")).is_err());
        }
    }
}
