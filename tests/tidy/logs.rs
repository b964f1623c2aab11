//! The log events of production code and the table in telemetry/list/logs.rs are the same.

use std::collections::BTreeSet;

use telemetry::list::LOGS;

use super::source::{Source, calls};
use super::sources;

/// A level and a message.
type Logged = (&'static str, String);

#[test]
fn every_log_event_is_listed() {
    let mut logged = BTreeSet::new();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for found in events(&Source::production(&text)) {
            match found {
                Ok(event) => {
                    logged.insert(event);
                }
                Err(error) => wrong.push(format!("{path}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let listed: BTreeSet<Logged> = LOGS
        .iter()
        .map(|event| (event.level().name(), event.message().to_owned()))
        .collect();
    let missing: Vec<_> = logged.difference(&listed).collect();
    assert!(missing.is_empty(), "not in the table: {missing:#?}");
    let unused: Vec<_> = listed.difference(&logged).collect();
    assert!(unused.is_empty(), "not in the code: {unused:#?}");
}

#[test]
fn every_form_of_an_event_is_read() {
    for (code, message) in [
        (r#"tracing::warn!("it failed");"#, "it failed"),
        (r#"warn!(id, why = %error, "it failed")"#, "it failed"),
        (
            r#"tracing::warn!(target: "a", of = f("x, y", (1, 2)), "it failed",)"#,
            "it failed",
        ),
        (
            "tracing::warn!(\n    \"it \\\n     failed: \\\"now\\\"\"\n)",
            "it failed: \"now\"",
        ),
    ] {
        let expected = Ok(("WARN", message.to_owned()));
        assert_eq!(events(code), [expected], "{code}");
    }
    for wrong in [
        "tracing::error!(message)",
        "tracing::error!(%error)",
        r#"tracing::error!("{what} failed")"#,
        r#"tracing::error!(r"raw")"#,
        r#"tracing::event!(Level::WARN, "it failed")"#,
    ] {
        let found = events(wrong);
        assert!(matches!(found[..], [Err(_)]), "{wrong}: {found:?}");
    }
    for other in [
        r#"tracing::debug!("{what} failed")"#,
        r#"// tracing::warn!("it failed")"#,
        r#"let text = "tracing::warn!(\"it failed\")";"#,
        "self.error(x); error != y",
    ] {
        assert_eq!(events(other), [], "{other}");
    }
}

fn events(production: &str) -> Vec<Result<Logged, String>> {
    let levels = [("error", "ERROR"), ("warn", "WARN"), ("info", "INFO")];
    let mut found = Vec::new();
    for (line, name, arguments) in calls(production) {
        if name == "event" {
            found.push(Err(format!("line {line}: use error!, warn! or info!")));
        }
        if let Some((_, level)) = levels.iter().find(|(macro_name, _)| *macro_name == name) {
            let message = arguments.iter().find_map(|argument| literal(argument));
            found.push(match message {
                Some(message) if !message.contains('{') => Ok((*level, message)),
                Some(message) => Err(format!(
                    "line {line}: values belong into fields, not into the message: {message}"
                )),
                None => Err(format!("line {line}: the message is no string literal")),
            });
        }
    }
    found
}

/// The value of a string literal.
fn literal(argument: &str) -> Option<String> {
    let inner = argument.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut value = String::new();
    let mut chars = inner.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' => return None,
            '\\' => match chars.next()? {
                escaped @ ('"' | '\\') => value.push(escaped),
                '\n' => while chars.next_if(|next| next.is_whitespace()).is_some() {},
                _ => return None,
            },
            plain => value.push(plain),
        }
    }
    Some(value)
}
