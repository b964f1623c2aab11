//! Rewrites messages of tools for the command line: names of arguments become options.

use serde_json::Value;

/// The message of a failed answer, for a person.
pub(super) fn of_failure(status: &Value) -> String {
    in_options(status["message"].as_str().unwrap_or("the analysis failed"))
}

/// `/sort_by: expected …` becomes `--sort-by: expected …`, and `` `include` `` becomes `--include`.
fn in_options(message: &str) -> String {
    let message = match message.split_once(':') {
        Some((place, rest)) if place.starts_with('/') => {
            let name = place.trim_start_matches('/').split('/').next();
            match name.unwrap_or_default() {
                "" => rest.trim_start().to_owned(),
                "path" | "paths" => format!("PATH:{rest}"),
                name => format!("{}:{rest}", option(name)),
            }
        }
        Some(_) | None => message.to_owned(),
    };
    let mut said = message;
    for name in ["include", "exclude", "languages", "focus", "limit"] {
        said = said.replace(&format!("`{name}`"), &option(name));
    }
    said.replace("`path`", "PATH")
}

fn option(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_rewritten_as_options() {
        for (message, told) in [
            (
                "/sort_by: expected one of a, b",
                "--sort-by: expected one of a, b",
            ),
            (
                "/languages/0: expected one of c",
                "--languages: expected one of c",
            ),
            (
                "/: there is no argument \"x\"",
                "there is no argument \"x\"",
            ),
            (
                "`a[` is not a usable glob: unclosed",
                "`a[` is not a usable glob: unclosed",
            ),
            (
                "more than 9 files to analyse; narrow it with `path`, `include`, `exclude` or `languages`",
                "more than 9 files to analyse; narrow it with PATH, --include, --exclude or --languages",
            ),
        ] {
            assert_eq!(in_options(message), told);
        }
    }
}
