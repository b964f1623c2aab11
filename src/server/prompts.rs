//! Prompts for three common tasks: which tools to call, and in which order. Each is a template over its arguments;
//! nothing is run or read here.

use actors::ids::{ResultId, SessionId};
use rmcp::ErrorData;
use rmcp::model::{
    GetPromptResult, JsonObject, ListPromptsResult, Prompt, PromptArgument, PromptMessage, Role,
};
use serde_json::{Value, json};

use crate::answer::nearest;

/// Longest argument: longer than any valid path.
const ARGUMENT_BYTES: usize = 4096;

/// One prompt.
pub(super) struct Errand {
    pub(super) name: &'static str,
    title: &'static str,
    description: &'static str,
    pub(super) arguments: &'static [Argument],
    write: fn(&Given) -> String,
}

pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    description: &'static str,
    required: bool,
}

/// The type of an argument, and how it is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Path,
    Session,
    Result,
    /// A number, which has no completions.
    Part,
}

pub(super) const ERRANDS: [Errand; 3] = [
    Errand {
        name: "find_hotspots",
        title: "Find hot spots",
        description: "The functions that are hardest to change, and why.",
        arguments: &[PATH],
        write: find_hotspots,
    },
    Errand {
        name: "review_change",
        title: "Review a change",
        description: "What got better or worse since an earlier result.",
        arguments: &[
            Argument {
                name: "session_id",
                kind: Kind::Session,
                description: "The session that holds the earlier result.",
                required: true,
            },
            Argument {
                name: "baseline",
                kind: Kind::Result,
                description: "The result_id from before the change.",
                required: true,
            },
        ],
        write: review_change,
    },
    Errand {
        name: "untangle_cycles",
        title: "Untangle cycles",
        description: "Which imports to cut so that modules no longer depend on each other in circles.",
        arguments: &[PATH],
        write: untangle_cycles,
    },
];

const PATH: Argument = Argument {
    name: "path",
    kind: Kind::Path,
    description: "File or folder to look at; by default the whole root.",
    required: false,
};

fn find_hotspots(given: &Given) -> String {
    let path = given.quoted("path", ".");
    format!(
        "Find the functions below {path} that are hardest to change.\n\
         1. Call analyze_complexity with path={path}, level=\"functions\", sort_by=\"cognitive\", limit=10.\n\
         2. For the worst three, call analyze_structure on their files and read the code at the lines given.\n\
         3. Call analyze_dependencies with path={path} and see which of their files many others depend on: a hard \
         function there costs most.\n\
         Report at most five, worst first: where it is, its numbers, what makes it hard, and the smallest change that \
         would help. Say what `coverage` left out."
    )
}

fn review_change(given: &Given) -> String {
    let session = given.quoted("session_id", "");
    let baseline = given.quoted("baseline", "");
    format!(
        "Review what changed since the result {baseline}.\n\
         1. Call compare_results with session_id={session}, baseline={baseline}: the same analysis runs again on the \
         files as they are now.\n\
         2. For each function that got worse, read its code and say whether the task needed it.\n\
         3. If imports changed, call analyze_dependencies on the folder and look for cycles that are new.\n\
         Report what got worse and what to do about it, then what got better. No change in a number is a finding too."
    )
}

fn untangle_cycles(given: &Given) -> String {
    let path = given.quoted("path", ".");
    format!(
        "Find the import cycles below {path} and how to break them.\n\
         1. Call analyze_dependencies with path={path}, granularity=\"directory\"; if it shows no cycles, again with \
         granularity=\"file\".\n\
         2. For the smallest cycle first, call analyze_dependencies with focus on one of its members and depth=1, and \
         read the imports that close the circle.\n\
         3. Choose the import that the fewest places use: move what it needs down to a module of its own, or invert \
         it with an interface.\n\
         Report each cycle with its members, the import to cut and how. Say which imports were unresolved: a cycle may \
         hide there."
    )
}

// === answered ===

pub(super) fn list() -> ListPromptsResult {
    ListPromptsResult::with_all_items(ERRANDS.iter().map(Errand::shown).collect())
}

/// # Errors
/// The prompt or one of its arguments is invalid; the error names it.
pub(super) fn get(name: &str, arguments: Option<JsonObject>) -> Result<GetPromptResult, ErrorData> {
    let errand = find(name)?;
    let given = errand.check(arguments.unwrap_or_default())?;
    let message = PromptMessage::new_text(Role::User, (errand.write)(&given));
    Ok(GetPromptResult::new(vec![message]).with_description(errand.description))
}

pub(super) fn find(name: &str) -> Result<&'static Errand, ErrorData> {
    let found = ERRANDS.iter().find(|errand| errand.name == name);
    found.ok_or_else(|| {
        let names = ERRANDS.map(|errand| errand.name);
        let near = nearest(name, names);
        let advice = match near {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("there are {}", names.join(", ")),
        };
        let message = format!("no prompt is called {:?}: {advice}", shown(name));
        let data = json!({"reason": "unknown_prompt", "nearest": near});
        ErrorData::invalid_params(message, Some(data))
    })
}

/// The checked arguments of one request.
struct Given(Vec<(&'static str, String)>);

impl Given {
    /// As JSON, so that any content stays one value in the text.
    fn quoted(&self, name: &str, otherwise: &str) -> String {
        let given = self.0.iter().find(|(given, _)| *given == name);
        let value = given.map_or(otherwise, |(_, value)| value);
        otel::visible::json(&Value::from(value).to_string())
    }
}

impl Errand {
    fn shown(&self) -> Prompt {
        let argument = |argument: &Argument| {
            PromptArgument::new(argument.name)
                .with_description(argument.description)
                .with_required(argument.required)
        };
        let arguments = self.arguments.iter().map(argument).collect();
        Prompt::new(self.name, Some(self.description), Some(arguments)).with_title(self.title)
    }

    /// # Errors
    /// The argument is unknown; the error names it.
    pub(super) fn argument(&self, name: &str) -> Result<&'static Argument, ErrorData> {
        let found = self.arguments.iter().find(|argument| argument.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self
                .arguments
                .iter()
                .map(|argument| argument.name)
                .collect();
            invalid(
                "unknown_argument",
                format!(
                    "{} takes no argument {:?}: it takes {}",
                    self.name,
                    shown(name),
                    names.join(", ")
                ),
            )
        })
    }

    fn check(&self, arguments: JsonObject) -> Result<Given, ErrorData> {
        let mut given = Vec::new();
        for (name, value) in arguments {
            let argument = self.argument(&name)?;
            given.push((argument.name, argument.check(value)?));
        }
        let is_given = |argument: &Argument| given.iter().any(|(name, _)| *name == argument.name);
        match self
            .arguments
            .iter()
            .find(|argument| argument.required && !is_given(argument))
        {
            None => Ok(Given(given)),
            Some(missing) => Err(invalid(
                "missing_argument",
                format!(
                    "{} needs the argument {:?}: {}",
                    self.name, missing.name, missing.description
                ),
            )),
        }
    }
}

impl Argument {
    fn check(&self, value: Value) -> Result<String, ErrorData> {
        let wrong = |why: String| {
            invalid(
                "invalid_argument",
                format!("argument {:?} {why}", self.name),
            )
        };
        let Value::String(text) = value else {
            return Err(wrong("must be a string".to_owned()));
        };
        if text.len() > ARGUMENT_BYTES {
            return Err(wrong(format!("must have at most {ARGUMENT_BYTES} bytes")));
        }
        let checked = match self.kind {
            Kind::Path if text.contains(char::is_control) => {
                Err("must be a path of one line".to_owned())
            }
            Kind::Path | Kind::Part => Ok(()),
            Kind::Session => SessionId::parse(&text)
                .map(drop)
                .map_err(|error| format!("is {error}")),
            Kind::Result => ResultId::parse(&text)
                .map(drop)
                .map_err(|error| format!("is {error}")),
        };
        checked.map(|()| text).map_err(wrong)
    }
}

fn invalid(reason: &str, message: String) -> ErrorData {
    ErrorData::invalid_params(message, Some(json!({"reason": reason})))
}

/// A client's text, short enough to repeat.
fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tools;

    fn object(value: Value) -> Option<JsonObject> {
        value.as_object().cloned()
    }

    fn text(name: &str, arguments: Value) -> String {
        let result = get(name, object(arguments)).expect("a prompt");
        let message = serde_json::to_value(&result.messages).expect("JSON");
        message[0]["content"]["text"]
            .as_str()
            .expect("a text")
            .to_owned()
    }

    fn ids() -> Value {
        json!({"session_id": SessionId::random(), "baseline": ResultId::random()})
    }

    /// A prompt that named a missing tool, argument or value would mislead every agent.
    #[test]
    fn prompts_name_existing_tools_and_arguments() {
        for (name, arguments) in [
            ("find_hotspots", json!({"path": "src"})),
            ("review_change", ids()),
            ("untangle_cycles", json!({"path": "src"})),
        ] {
            let text = text(name, arguments);
            let mut calls = 0;
            for line in text
                .lines()
                .filter(|line| line.contains("all analyze_") || line.contains("all compare_"))
            {
                let tool = line
                    .split("all ")
                    .nth(1)
                    .and_then(|rest| rest.split(' ').next())
                    .expect("a tool");
                let entry = tools::entry(tool).unwrap_or_else(|| panic!("{tool} is no tool"));
                let mut arguments = serde_json::Map::new();
                for part in line
                    .split([' ', ';', ':'])
                    .filter(|part| part.contains('='))
                {
                    let (argument, value) = part
                        .trim_end_matches([',', '.'])
                        .split_once('=')
                        .expect("both");
                    arguments.insert(
                        argument.to_owned(),
                        serde_json::from_str(value).expect("JSON"),
                    );
                }
                entry
                    .check(&Value::Object(arguments), false)
                    .expect("arguments that are taken");
                calls += 1;
            }
            assert!(calls >= 2, "{text}");
            assert!(text.len() < 1200, "{name} is long");
        }
    }

    #[test]
    fn errors_name_the_problem() {
        let long = "x".repeat(ARGUMENT_BYTES + 1);
        for (name, arguments, reason, about) in [
            ("find_hotspot", json!({}), "unknown_prompt", "find_hotspots"),
            (
                "find_hotspots",
                json!({"pth": "x"}),
                "unknown_argument",
                "\"pth\"",
            ),
            (
                "find_hotspots",
                json!({"path": 5}),
                "invalid_argument",
                "\"path\"",
            ),
            (
                "find_hotspots",
                json!({"path": "a\nb"}),
                "invalid_argument",
                "one line",
            ),
            (
                "find_hotspots",
                json!({"path": long}),
                "invalid_argument",
                "4096",
            ),
            (
                "review_change",
                json!({}),
                "missing_argument",
                "\"session_id\"",
            ),
            (
                "review_change",
                json!({"session_id": SessionId::random()}),
                "missing_argument",
                "\"baseline\"",
            ),
            (
                "review_change",
                json!({"session_id": "x", "baseline": "y"}),
                "invalid_argument",
                "hexadecimal",
            ),
        ] {
            let error = get(name, object(arguments)).expect_err("refused");
            assert_eq!(error.code.0, -32602);
            assert_eq!(error.data.expect("data")["reason"], reason);
            assert!(error.message.contains(about), "{}", error.message);
        }
    }

    proptest! {
        #[test]
        fn a_path_stays_one_value(path in "[^\\p{Cc}]{0,40}") {
            let text = text("find_hotspots", json!({"path": path.clone()}));
            let quoted = otel::visible::json(&Value::from(path).to_string());
            let call = format!("path={quoted}");
            prop_assert!(text.contains(&call), "{}", text);
            prop_assert_eq!(text.lines().count(), 5);
        }
    }
}
