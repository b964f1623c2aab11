//! The envelope of every answer, validation, and the code and advice of every failure. The server, the command line and
//! batches all use it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actors::ids::{ResultId, SessionId};
use actors::sessions::{CallAnswer, Durability};
use actors::tool::ToolOutput;
use otel::visible::{line, lines};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub mod code;
pub(crate) mod cursor;
pub(crate) mod envelope;
mod failure;
mod fault;
pub mod lean;
pub(crate) mod normalize;
pub mod page;
pub mod reason;
pub(crate) mod traced;
mod unparsed;
pub(crate) mod validation;

pub use code::Code;
pub use failure::Failure;
pub use fault::Fault;
pub use lean::Detail;
pub use page::Page;
pub use reason::Reason;
pub(crate) use unparsed::ParseErrors;

/// Notices in one answer, so that a session's history does not crowd out the data.
const NOTICES_SHOWN: usize = 5;
/// Bytes of one notice.
const NOTICE_BYTES: usize = 300;
/// A name that differs in more than a third of its letters is not a likely typo.
const NEAREST_SIMILARITY: f64 = 0.66;

/// The answer to a call, successful or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// `data, status, context, page, coverage`; a full answer also has `metadata`.
    pub structured: Value,
    /// For programs and operators, not for models: tool, version, duration, time, input digest, cache.
    pub metadata: Value,
    /// The same as compact text, for a model or a person.
    pub text: String,
    pub is_error: bool,
    /// The session that answered, or was asked for.
    pub session: Option<SessionId>,
    /// Why it failed, and a message about this case.
    pub failed: Option<(&'static Reason, String)>,
}

/// The result of a tool, without the envelope. Its JSON form passes through the session as [`ToolOutput::answer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) data: Value,
    pub(crate) text: String,
    pub(crate) page: Option<Page>,
    pub(crate) coverage: Option<Coverage>,
    pub(crate) cache: CacheUse,
    pub(crate) empty: Option<Empty>,
    /// Notices for the reader of this answer.
    pub(crate) notices: Vec<String>,
}

impl Finding {
    /// The finding of a tool that reads no code.
    pub(crate) fn plain(data: Value, text: String) -> Self {
        Self {
            data,
            text,
            page: None,
            coverage: None,
            cache: CacheUse::default(),
            empty: None,
            notices: Vec::new(),
        }
    }

    pub(crate) fn into_value(self) -> Value {
        // All keys are strings and all numbers are finite, so this cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }

    fn from_output(output: Arc<ToolOutput>) -> Result<(Self, String), Failure> {
        let output = Arc::unwrap_or_clone(output);
        let finding = serde_json::from_value(output.answer).map_err(|error| {
            Failure::new("data_loss", format!("a stored answer is damaged: {error}"))
        })?;
        Ok((finding, output.input_digest))
    }
}

/// Which files were analysed, and which were not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Coverage {
    pub(crate) files_seen: u64,
    pub(crate) files_analyzed: u64,
    pub(crate) skipped: BTreeMap<String, u64>,
    pub(crate) parse_errors: ParseErrors,
    pub(crate) languages: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CacheUse {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

/// Why there are no rows: one of [`reason::EMPTY_REASONS`], and a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Empty {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// The session that answered, and what it stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    pub(crate) session_id: Option<SessionId>,
    pub(crate) result_id: Option<ResultId>,
    pub(crate) related: Vec<ResultId>,
    pub(crate) durability: Option<Durability>,
    pub(crate) replayed: bool,
    pub(crate) notices: Vec<String>,
}

/// The facts about a call that its envelope needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Called<'a> {
    pub(crate) tool: &'a str,
    pub(crate) started: Instant,
    pub(crate) max_bytes: usize,
    pub(crate) detail: Detail,
}

impl Called<'_> {
    /// Puts the answer of a session into its envelope.
    pub(crate) fn answered(&self, answer: CallAnswer, mut notices: Vec<String>) -> Answer {
        notices.extend(answer.notices);
        if answer.result_id.is_some() && !answer.stored {
            notices.push(
                "the complete result was too large to store: it cannot be compared or read again"
                    .into(),
            );
        }
        let context = Context {
            session_id: answer.session_id,
            result_id: answer.result_id,
            related: answer.related,
            durability: Some(answer.durability),
            replayed: answer.replayed,
            notices,
        };
        let found = answer
            .outcome
            .map_err(Failure::from)
            .and_then(Finding::from_output);
        match found {
            Ok((finding, digest)) => self.found(finding, &digest, context),
            Err(failure) => self.failed(&failure, context),
        }
    }

    pub(crate) fn found(&self, finding: Finding, digest: &str, mut context: Context) -> Answer {
        context.notices.extend(finding.notices);
        trim(&mut context.notices);
        let mut text = finding.text;
        if let Some(empty) = &finding.empty {
            text.push_str(&format!("Nothing to show: {}\n", line(&empty.message)));
        }
        let cursor = finding
            .page
            .as_ref()
            .and_then(|page| page.next_cursor.as_deref());
        let text = with_footer(text, &context, cursor, self.max_bytes);
        let digest = (!digest.is_empty()).then_some(digest);
        let parts = envelope::Parts {
            data: finding.data,
            status: envelope::Status::Success(finding.empty.as_ref()),
            context: &context,
            page: finding.page.as_ref(),
            coverage: finding.coverage.as_ref(),
        };
        self.answer(parts, self.metadata(digest, finding.cache), text)
    }

    pub(crate) fn failed(&self, failure: &Failure, mut context: Context) -> Answer {
        trim(&mut context.notices);
        let reason = failure.row();
        let text = format!(
            "{} failed: {} ({}, {})\nWhat to do: {}\n",
            line(self.tool),
            line(&failure.message),
            reason.code.name(),
            reason.name,
            reason.recovery,
        );
        let max_bytes = self.max_bytes.max(page::MIN_MAX_BYTES);
        let text = with_footer(text, &context, None, max_bytes);
        let parts = envelope::Parts {
            data: Value::Null,
            status: envelope::Status::Failed(failure),
            context: &context,
            page: None,
            coverage: None,
        };
        self.answer(parts, self.metadata(None, CacheUse::default()), text)
    }

    fn answer(&self, parts: envelope::Parts<'_>, metadata: Value, text: String) -> Answer {
        let failed = match parts.status {
            envelope::Status::Failed(failure) => Some((failure.row(), failure.message.clone())),
            envelope::Status::Success(_) => None,
        };
        let session = parts.context.session_id;
        let structured = match self.detail {
            Detail::Lean => parts.lean(),
            Detail::Full => parts.full(metadata.clone()),
        };
        Answer {
            structured,
            metadata,
            text,
            is_error: failed.is_some(),
            session,
            failed,
        }
    }

    fn metadata(&self, digest: Option<&str>, cache: CacheUse) -> Value {
        let duration = self.started.elapsed().as_secs_f64() * 1000.0;
        json!({
            "tool": self.tool,
            "version": env!("CARGO_PKG_VERSION"),
            "duration_ms": (duration * 1000.0).round() / 1000.0,
            "timestamp": now(),
            "input_digest": digest,
            "cache": cache,
        })
    }
}

/// The most similar of the known names, if one is similar enough.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Far longer than any known name: comparing is quadratic.
    const MAX_COMPARED: usize = 100;
    if name.len() > MAX_COMPARED {
        return None;
    }
    let name = name.to_ascii_lowercase();
    known
        .into_iter()
        .map(|known| {
            (
                strsim::jaro_winkler(&name, known).min(similarity(&name, known)),
                known,
            )
        })
        .filter(|(similar, _)| *similar >= NEAREST_SIMILARITY)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// A time as RFC 3339, to the millisecond.
pub(crate) fn rfc3339(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

// === parts ===

/// As `json!`, but without copying the values.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Value::Object(fields.into_iter().collect())
}

fn similarity(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(a, b)
}

fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_millisecond(now.as_millisecond())
        .unwrap_or(now)
        .to_string()
}

fn trim(notices: &mut Vec<String>) {
    notices.truncate(NOTICES_SHOWN);
    for notice in notices {
        page::clip(notice, NOTICE_BYTES);
    }
}

/// Adds cursor, ids and notices below the text, within `max_bytes`. If necessary, lines of the text are dropped:
/// without ids and cursor a caller could not continue.
///
/// The code that builds the lines escapes line breaks in names, because only it knows its own line breaks. Other
/// characters that affect a terminal are escaped here again.
fn with_footer(text: String, context: &Context, cursor: Option<&str>, max_bytes: usize) -> String {
    let text = lines(&text);
    let mut footer = String::new();
    if let Some(cursor) = cursor {
        footer.push_str(&format!("more: repeat with cursor={cursor}\n"));
    }
    if let Some(session) = context.session_id {
        footer.push_str(&format!("session_id={session}\n"));
    }
    if let Some(result) = context.result_id {
        footer.push_str(&format!("result_id={result}\n"));
    }
    if context.replayed {
        footer.push_str("replayed: the answer of an earlier call with this idempotency key\n");
    }
    for notice in &context.notices {
        let line = format!("note: {}\n", line(notice));
        if footer.len() + line.len() <= page::FOOTER_BYTES
            || footer.len() + line.len() + text.len() <= max_bytes
        {
            footer.push_str(&line);
        }
    }
    let mut all = if text.len().saturating_add(footer.len()) <= max_bytes {
        text.into_owned() + &footer
    } else {
        page::clipped_lines(&text, max_bytes.saturating_sub(footer.len())) + &footer
    };
    page::clip(&mut all, max_bytes);
    all
}

#[cfg(test)]
mod tests;
