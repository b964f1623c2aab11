//! Generates the page about everything the server offers: tools and error reasons from the catalogue, and the rest.

use std::fmt::Write as _;

use super::{prompts, resources};
use crate::tools;

/// The generated Markdown. A test keeps `docs/tools.md` equal to it.
pub fn markdown() -> String {
    let mut page = tools::docs::markdown();
    page.push_str(
        "\n## Resources\n\n\
         Stored results can be read by their addresses, on any node. Each caller sees its own. `resources/list` shows the newest \
         results of the ten newest sessions, page by page; ids are completed.\n\n\
         | address | holds | type |\n|---|---|---|\n",
    );
    for template in resources::templates().resource_templates {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            template.uri_template,
            template.description.unwrap_or_default(),
            template.mime_type.unwrap_or_default(),
        );
    }
    page.push_str(
        "\n## Prompts\n\nTasks for an agent: which tools to call, in which order, and what to report. Paths and ids are \
         completed.\n\n| prompt | does | arguments |\n|---|---|---|\n",
    );
    for prompt in prompts::list().prompts {
        let arguments: Vec<_> = (prompt.arguments.unwrap_or_default().iter())
            .map(|argument| {
                let optional = match argument.required {
                    Some(true) => "",
                    Some(false) | None => " (optional)",
                };
                format!("`{}`{optional}", argument.name)
            })
            .collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            prompt.name,
            prompt.description.unwrap_or_default(),
            arguments.join(", "),
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn docs_are_those_of_the_code() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tools.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, markdown()).expect("written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == markdown(),
            "docs/tools.md is out of date: run UPDATE_DOCS=1 cargo test docs_are_those_of_the_code"
        );
    }
}
