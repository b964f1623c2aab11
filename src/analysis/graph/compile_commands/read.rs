//! The format of a compilation database. It may have tens of megabytes, so its commands are read one at a time, and
//! none is kept.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use crate::analysis::graph::jsonc;

/// Words of one command: ten times as many as in Chromium.
const WORDS: usize = 20_000;

#[derive(Deserialize, Default)]
pub(super) struct Command {
    pub(super) file: Option<String>,
    pub(super) directory: Option<String>,
    command: Option<String>,
    arguments: Option<Arguments>,
}

impl Command {
    pub(super) fn words(&self) -> Vec<String> {
        match &self.arguments {
            Some(arguments) => arguments.0.clone(),
            None => words(self.command.as_deref().unwrap_or_default()),
        }
    }
}

/// Passes each command to `told` until it returns false. Returns false if not all commands were read.
pub(super) fn each(text: &str, told: &mut dyn FnMut(Command) -> bool) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut each = Each {
        told,
        stopped: false,
    };
    // Comments and trailing commas, as in other files that people write.
    if !each.read(text) && !each.stopped {
        each.read(&jsonc::strict(text));
    }
    !each.stopped
}

struct Each<'f> {
    told: &'f mut dyn FnMut(Command) -> bool,
    stopped: bool,
}

impl Each<'_> {
    /// Whether the text is a complete list of commands.
    fn read(&mut self, text: &str) -> bool {
        let mut json = serde_json::Deserializer::from_str(text);
        self.deserialize(&mut json).is_ok()
    }
}

impl<'de> DeserializeSeed<'de> for &mut Each<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Each<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of commands")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(command) = seq.next_element()? {
            if !(self.told)(command) {
                self.stopped = true;
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// At most [`WORDS`] of them.
struct Arguments(Vec<String>);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;

        impl<'de> Visitor<'de> for First {
            type Value = Arguments;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of words")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Arguments, A::Error> {
                let mut words = vec![];
                while words.len() < WORDS {
                    match seq.next_element()? {
                        Some(word) => words.push(word),
                        None => return Ok(Arguments(words)),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Arguments(words))
            }
        }

        deserializer.deserialize_seq(First)
    }
}

/// The words of a shell command, with the quotes and backslashes that builds write. At most [`WORDS`].
pub(super) fn words(command: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        if words.len() == WORDS {
            return words;
        }
        match (letter, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, None) if letter.is_whitespace() => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str, most: usize) -> (Vec<String>, bool) {
        let mut files = vec![];
        let whole = each(text, &mut |command| {
            files.extend(command.file);
            files.len() < most
        });
        (files, whole)
    }

    #[test]
    fn commands_are_passed_on_one_at_a_time() {
        let text = "[{\"file\": \"a\", \"output\": [1, {}]}, {\"file\": \"b\"}]";
        let all = ["a", "b"].map(str::to_owned).to_vec();
        assert_eq!(files(text, 9), (all.clone(), true));
        assert_eq!(files(text, 1), (all[..1].to_vec(), false));
        assert_eq!(
            files("[ // x\n {\"file\": \"a\"}, ]", 9).0.last(),
            all.first()
        );
        assert_eq!(files("{}", 9), (vec![], true));
    }

    #[test]
    fn the_words_of_a_command_are_bounded() {
        let list = vec!["w"; WORDS + 5];
        let text = serde_json::json!([{ "arguments": list }, { "command": list.join(" ") }]);
        let mut counts = vec![];
        each(&text.to_string(), &mut |command| {
            counts.push(command.words().len());
            true
        });
        assert_eq!(counts, [WORDS, WORDS]);
    }
}
