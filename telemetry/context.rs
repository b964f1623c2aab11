//! The context of a trace, as W3C Trace Context defines it (`traceparent`, version 00).

use std::fmt::{self, Display};
use std::str::FromStr;

/// The ids of a span and of its trace. Messages and stored calls carry a copy, so that the actor, thread or node that
/// continues the work also continues the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trace {
    pub trace: u128,
    pub span: u64,
    pub sampled: bool,
}

/// The text is not a `traceparent`: `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`, with ids that are not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedParent;

/// The flag of a `traceparent` that says that its trace is sampled.
const SAMPLED: u8 = 1;
/// `00-` + 32 + `-` + 16 + `-` + 2.
const LENGTH: usize = 55;
/// A version that the standard forbids.
const INVALID_VERSION: &str = "ff";

impl Display for Trace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(out, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

impl FromStr for Trace {
    type Err = MalformedParent;

    /// Later versions may append fields, which are ignored.
    fn from_str(text: &str) -> Result<Self, MalformedParent> {
        let version = hex(text, 0..2).ok_or(MalformedParent)?;
        let longer = text.len() > LENGTH;
        let ends = !longer || (version != 0 && text.as_bytes()[LENGTH] == b'-');
        let dashes = [2, 35, 52]
            .iter()
            .all(|at| text.as_bytes().get(*at) == Some(&b'-'));
        if &text[..2] == INVALID_VERSION || !dashes || !ends {
            return Err(MalformedParent);
        }
        let trace = hex(text, 3..35).ok_or(MalformedParent)?;
        let span = hex(text, 36..52).ok_or(MalformedParent)?;
        let flags = hex(text, 53..55).ok_or(MalformedParent)?;
        let span = u64::try_from(span).map_err(|_| MalformedParent)?;
        if trace == 0 || span == 0 {
            return Err(MalformedParent);
        }
        Ok(Self {
            trace,
            span,
            sampled: flags & u128::from(SAMPLED) != 0,
        })
    }
}

/// Lower-case hexadecimal digits alone: the standard allows no others.
fn hex(text: &str, at: std::ops::Range<usize>) -> Option<u128> {
    let digits = text.get(at)?;
    let valid = digits
        .bytes()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    valid
        .then(|| u128::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_standard_is_read() {
        let trace: Trace = EXAMPLE.parse().expect("valid");
        assert_eq!(trace.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(trace.span, 0x00f0_67aa_0ba9_02b7);
        assert!(trace.sampled);
        assert_eq!(trace.to_string(), EXAMPLE);
    }

    #[test]
    fn malformed_parents_are_refused() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        for text in [
            "",
            "00",
            "é0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            &EXAMPLE[..54],
            &EXAMPLE.to_uppercase(),
            &EXAMPLE.replacen("00-", "ff-", 1),
            &format!("{EXAMPLE}-more"),
            &EXAMPLE.replace(id, &"0".repeat(32)),
            &EXAMPLE.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &EXAMPLE.replace('-', "_"),
            &format!("{EXAMPLE} "),
        ] {
            assert_eq!(text.parse::<Trace>(), Err(MalformedParent), "{text:?}");
        }
    }

    #[test]
    fn a_later_version_may_have_more_fields() {
        let later = format!("{}-more", EXAMPLE.replacen("00-", "01-", 1));
        assert!(later.parse::<Trace>().is_ok());
        let glued = format!("{}more", EXAMPLE.replacen("00-", "01-", 1));
        assert!(glued.parse::<Trace>().is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,70}") {
            let _ = text.parse::<Trace>();
        }

        #[test]
        fn what_is_written_is_read_again(trace in 1u128.., span in 1u64.., sampled: bool) {
            let context = Trace { trace, span, sampled };
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }
    }
}
