//! The fenced blocks of README.md and docs/*.md, and their marks: some cannot run in a test.

use std::fs;
use std::path::Path;

/// The mark, in an HTML comment before a block that cannot run in a test, with the reason.
const MARK: &str = "<!-- not run by the tests: ";

pub(super) struct Block {
    /// The place of its fence, as in `README.md:13`.
    pub(super) place: String,
    pub(super) language: String,
    pub(super) text: String,
    /// Why it is not run.
    pub(super) mark: Option<String>,
}

/// The blocks of all pages that are not generated.
pub(super) fn all() -> Vec<Block> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).expect("docs");
    let mut pages: Vec<_> = docs
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        // A generated page: the tests of the tools run its examples.
        .filter(|path| path.file_name().is_some_and(|name| name != "tools.md"))
        .collect();
    pages.push(root.join("README.md"));
    pages.sort();
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).expect("a page");
        let name = path.strip_prefix(root).expect("below the root");
        of_page(&name.to_string_lossy(), &text)
    };
    pages.iter().flat_map(read).collect()
}

fn of_page(name: &str, text: &str) -> Vec<Block> {
    let lines: Vec<_> = text.lines().collect();
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(language) = lines[at].strip_prefix("```") else {
            at += 1;
            continue;
        };
        let length = lines[at + 1..].iter().position(|line| *line == "```");
        let end = at + 1 + length.unwrap_or_else(|| panic!("{name}:{}: has no end", at + 1));
        let before = lines[..at].last().copied().unwrap_or_default();
        let mark = before.strip_prefix(MARK);
        let mark = mark.map(|mark| mark.trim_end_matches("-->").trim().to_owned());
        blocks.push(Block {
            place: format!("{name}:{}", at + 1),
            language: language.to_owned(),
            text: lines[at + 1..end].join("\n") + "\n",
            mark,
        });
        at = end + 1;
    }
    blocks
}

#[test]
fn blocks_are_found_with_their_marks() {
    let page = "a\n\n<!-- not run by the tests: it has a reason -->\n```sh\none\ntwo\n```\n\n```toml\nx = 1\n```\n";
    let found = of_page("page.md", page);
    let told: Vec<_> = found
        .iter()
        .map(|block| {
            (
                block.place.as_str(),
                block.text.as_str(),
                block.mark.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("page.md:4", "one\ntwo\n", Some("it has a reason")),
            ("page.md:9", "x = 1\n", None)
        ]
    );
}
