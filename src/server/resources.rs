//! Stored results and session histories as MCP resources. The service checks ownership; this module adds the addresses.
//! Stateless: a page continues from its cursor on any node.
//!
//! Tool answers contain no link to their result. Both ids are in every answer and the template explains them; a link
//! would cost a model some 60 tokens per call.

use actors::ids::ResultId;
use otel::visible;
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, ListResourceTemplatesResult, ListResourcesResult, MetaObject,
    PaginatedRequestParams, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use serde_json::{Map, Value, json};

use super::hints;
use crate::answer::cursor::{Cursor, Short, short};
use crate::answer::{Failure, page};
use crate::service::{Caller, Service, Stored};
use crate::tools::WHOLE_CAP;

mod parts;
use parts::{Document, NoSuchPart};

/// A session; its results are below it.
pub(super) const SESSION: &str = "analysis://sessions/{session_id}";
pub(super) const RESULT: &str = "analysis://sessions/{session_id}/results/{result_id}";
/// Parts of the same, if they are too large for one message.
pub(super) const SESSION_PART: &str = "analysis://sessions/{session_id}?part={part}";
pub(super) const RESULT_PART: &str =
    "analysis://sessions/{session_id}/results/{result_id}?part={part}";

const SESSIONS: &str = "analysis://sessions/";
const RESULTS: &str = "/results/";
const PART: &str = "part=";
const JSON: &str = "application/json";
/// Resources per page.
const PAGE: usize = 50;
/// Bytes of a description, which people read in a list.
const DESCRIPTION_BYTES: usize = 200;

pub(super) fn templates() -> ListResourceTemplatesResult {
    let most = WHOLE_CAP / (1024 * 1024);
    ListResourceTemplatesResult::with_all_items(vec![
        ResourceTemplate::new(RESULT, "stored_result")
            .with_title("Stored result")
            .with_description(format!(
                "A complete stored result: the ids are in the answer of its call. Above {most} MiB: arguments, totals, \
                 coverage, and `reduced` instead of rows."
            ))
            .with_mime_type(JSON),
        ResourceTemplate::new(SESSION, "session")
            .with_title("Session with its history")
            .with_description("State of a session, and every result that it remembers, newest first.")
            .with_mime_type(JSON),
        ResourceTemplate::new(RESULT_PART, "stored_result_part")
            .with_title("Part of a stored result")
            .with_description(format!(
                "A result of more than {} kB comes in parts, counted from 1: each has rows of the same lists, and `next` is \
                 the address of the one after it. The address without `part` gives the first.",
                parts::PART_BYTES / 1024
            ))
            .with_mime_type(JSON),
        ResourceTemplate::new(SESSION_PART, "session_part")
            .with_title("Part of a session")
            .with_description("One part of a long session history. A new result shifts the rows after it.")
            .with_mime_type(JSON),
    ])
}

/// The newest stored results, in pages.
pub(super) async fn list(
    service: &Service,
    caller: &Caller,
    request: Option<PaginatedRequestParams>,
) -> Result<ListResourcesResult, ErrorData> {
    let cursor = request.and_then(|request| request.cursor);
    let after = cursor.as_deref().map(open_cursor).transpose()?;
    let page = service.stored_results(caller, after, PAGE).await;
    let page = page.map_err(|failure| refused(&failure))?;
    let last = page.rows.last().filter(|_| page.has_more);
    let next = last.map(|row| {
        Cursor {
            arguments: scope(),
            inputs: row.result.at_ms.to_le_bytes(),
            mark: row.result.result_id.as_u128(),
        }
        .seal()
    });
    let mut listed = ListResourcesResult::with_all_items(page.rows.iter().map(resource).collect());
    listed.next_cursor = next;
    if page.sessions_left_out > 0 {
        let mut meta = MetaObject::default();
        meta.insert("sessions_left_out".into(), json!(page.sessions_left_out));
        listed.meta = Some(meta);
    }
    Ok(listed)
}

/// Includes how long it may be cached.
pub(super) async fn read(
    service: &Service,
    caller: &Caller,
    uri: &str,
) -> Result<(ReadResourceResult, (u64, CacheScope)), ErrorData> {
    let unknown = || not_found(uri, "unknown_resource", NO_SUCH_URI, "");
    let (address, number) = part_of(uri).ok_or_else(unknown)?;
    let (read, hint) = match parse(address).ok_or_else(unknown)? {
        (session, Some(result)) => {
            let read = service.read_result(caller, session, result).await;
            (read.map(result_document), hints::RESULT)
        }
        (session, None) => {
            let read = service.read_session(caller, session).await;
            (read.map(session_document), hints::LIST)
        }
    };
    let document = read.map_err(|failure| unreadable(uri, &failure))?;
    let own = address.to_owned();
    // A result of megabytes takes tens of milliseconds, which other connections on this thread would wait for.
    let part = tokio::task::spawn_blocking(move || {
        document.part(number, |part| format!("{own}?{PART}{part}"))
    });
    let part = part.await.map_err(|error| {
        ErrorData::internal_error(format!("the part could not be written: {error}"), None)
    })?;
    let text = part.map_err(|NoSuchPart { parts }| {
        let message = format!("there is no part {number}: the parts are 1 to {parts}");
        not_found(uri, "unknown_part", &message, "")
    })?;
    let contents = ResourceContents::text(text, uri).with_mime_type(JSON);
    Ok((ReadResourceResult::new(vec![contents]), hint))
}

/// Every part names its result; the arguments and the coverage are in the first part.
fn result_document(result: Value) -> Document {
    let (mut every, mut first, mut body) = (Map::new(), Map::new(), Map::new());
    let Value::Object(fields) = result else {
        return Document::of(Map::new(), None);
    };
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("data", Value::Object(data)) => body = data,
            ("arguments" | "coverage", value) => drop(first.insert(name, value)),
            (_, value) => drop(every.insert(name, value)),
        }
    }
    let under = Some("data");
    Document {
        every,
        first,
        under,
        body,
    }
}

/// The history is its only long list.
fn session_document(session: Value) -> Document {
    let Value::Object(mut fields) = session else {
        return Document::of(Map::new(), None);
    };
    let id = fields.remove_entry("session_id");
    let every = id.into_iter().collect();
    Document {
        every,
        ..Document::of(fields, None)
    }
}

/// The address without its part, and the part's number: 1 if it has none.
fn part_of(uri: &str) -> Option<(&str, usize)> {
    let Some((address, query)) = uri.split_once('?') else {
        return Some((uri, 1));
    };
    let number = query.strip_prefix(PART)?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    is_plain
        .then(|| number.parse().ok())
        .flatten()
        .map(|number| (address, number))
}

const NO_SUCH_URI: &str = "no resource has this uri: `resources/list` names the newest, `resources/templates/list` \
                           shows the form";

/// Strict: ids need no escapes, so a URI with escapes is not one of this server.
fn parse(uri: &str) -> Option<(&str, Option<&str>)> {
    let rest = uri.strip_prefix(SESSIONS)?;
    let (session, result) = match rest.split_once(RESULTS) {
        Some((session, result)) => (session, Some(result)),
        None => (rest, None),
    };
    let is_plain = |id: &str| !id.is_empty() && !id.contains('/');
    (is_plain(session) && result.is_none_or(is_plain)).then_some((session, result))
}

fn resource(row: &Stored) -> Resource {
    let result = &row.result;
    let uri = format!("{SESSIONS}{}{RESULTS}{}", row.session, result.result_id);
    let mut description = visible::line(&result.summary).into_owned();
    page::clip(&mut description, DESCRIPTION_BYTES);
    // Long arguments are not in the history.
    let mut title = match result.arguments["path"].as_str() {
        Some(path) => format!("{} of {}", result.tool, visible::line(path)),
        None => result.tool.clone(),
    };
    page::clip(&mut title, DESCRIPTION_BYTES);
    Resource::new(uri, result.result_id.to_string())
        .with_title(title)
        .with_description(description)
        .with_mime_type(JSON)
}

fn scope() -> Short {
    short("resources/list")
}

fn open_cursor(text: &str) -> Result<(u64, ResultId), ErrorData> {
    let cursor = Cursor::open(text, scope()).map_err(|failure| {
        ErrorData::invalid_params(
            format!("{}: start again without a cursor", failure.message),
            Some(json!({"reason": failure.reason})),
        )
    })?;
    Ok((
        u64::from_le_bytes(cursor.inputs),
        ResultId::from_u128(cursor.mark),
    ))
}

// === errors ===

/// What does not exist, is not kept or belongs to another principal is not found; all else is a temporary fault.
fn unreadable(uri: &str, failure: &Failure) -> ErrorData {
    let is_absent = [
        "unknown_session",
        "session_expired",
        "unknown_result",
        "result_not_stored",
        "invalid_session_id",
        "invalid_result_id",
    ]
    .contains(&failure.reason.as_str());
    if is_absent {
        let recovery = failure.row().recovery;
        return not_found(uri, &failure.reason, &failure.message, recovery);
    }
    refused(failure)
}

fn not_found(uri: &str, reason: &str, message: &str, recovery: &str) -> ErrorData {
    let mut shown = uri.to_owned();
    page::clip(&mut shown, DESCRIPTION_BYTES);
    let advice = match recovery {
        "" => message.to_owned(),
        recovery => format!("{message}: {recovery}"),
    };
    let advice = visible::line(&advice).into_owned();
    ErrorData::resource_not_found(advice, Some(json!({"uri": shown, "reason": reason})))
}

/// A failure of the service as a JSON-RPC error.
pub(super) fn refused(failure: &Failure) -> ErrorData {
    let row = failure.row();
    let retry_after = failure.retry_after.map(|after| after.as_millis() as u64);
    let data: Value = json!({
        "code": row.code.name(),
        "reason": failure.reason,
        "retryable": row.retryable,
        "retry_after_ms": retry_after,
        "recovery": row.recovery,
    });
    let message = visible::line(&failure.message).into_owned();
    ErrorData::internal_error(message, Some(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_forms_are_addresses() {
        let (session, result) = ("ses_1", "res_2");
        let whole = RESULT
            .replace("{session_id}", session)
            .replace("{result_id}", result);
        assert_eq!(parse(&whole), Some((session, Some(result))));
        let alone = SESSION.replace("{session_id}", session);
        assert_eq!(parse(&alone), Some((session, None)));
        for bad in [
            "",
            "file:///etc/passwd",
            "analysis://sessions/",
            "analysis://sessions//results/x",
            "analysis://sessions/a/results/",
            "analysis://sessions/a/results/b/c",
            "analysis://sessions/a/b",
            "analysis://sessions/a/results",
            "ANALYSIS://sessions/a",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_part_is_a_number_from_1() {
        for template in [RESULT_PART, SESSION_PART] {
            let (address, _) = template.split_once('?').unwrap();
            assert_eq!(part_of(address), Some((address, 1)));
            let uri = template.replace("{part}", "12");
            assert_eq!(part_of(&uri), Some((address, 12)));
            for bad in [
                "0",
                "-1",
                "+1",
                "",
                "1&x=2",
                "01",
                "99999999999999999999999",
                "1?part=2",
            ] {
                assert_eq!(part_of(&template.replace("{part}", bad)), None, "{bad}");
            }
            assert_eq!(part_of(&format!("{address}?page=1")), None);
        }
    }
}
