//! JSON as editors write it: comments and trailing commas are accepted. Keys keep their order, because the conditions
//! of a package.json are tried in it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value with its keys in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    /// `null`, and values without meaning for imports: numbers and booleans.
    Other,
    Null,
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// The last value of the key, as in every parser.
    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        let entries = self.entries()?;
        let found = entries.iter().rev().find(|(known, _)| known == key);
        found.map(|(_, value)| value)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other | Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Json]> {
        match self {
            Self::List(all) => Some(all),
            Self::Other | Self::Null | Self::Text(_) | Self::Map(_) => None,
        }
    }

    pub(super) fn entries(&self) -> Option<&[(String, Json)]> {
        match self {
            Self::Map(entries) => Some(entries),
            Self::Other | Self::Null | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// One text, or the texts of a list.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(all) => all.iter().filter_map(Self::text).collect(),
            Self::Other | Self::Null | Self::Map(_) => vec![],
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut all = vec![];
        while let Some(value) = seq.next_element()? {
            all.push(value);
        }
        Ok(Json::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = vec![];
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Json::Map(entries))
    }
}

/// `None` if it is not JSON. `serde_json` refuses nesting deeper than 128.
pub(super) fn parse(text: &str) -> Option<Json> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    serde_json::from_str(&strict(text)).ok()
}

/// Removes comments, and commas before closing brackets.
pub(super) fn strict(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/', ',', '}', ']']) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        let length = match from.as_bytes().first() {
            Some(b'"') => {
                let length = string_length(from);
                kept.push_str(&from[..length]);
                length
            }
            Some(b'/') => comment_length(from).unwrap_or_else(|| {
                kept.push('/');
                1
            }),
            Some(bracket @ (b'}' | b']')) => {
                let end = kept.trim_end().len();
                if kept[..end].ends_with(',') {
                    kept.truncate(end - 1);
                }
                kept.push(char::from(*bracket));
                1
            }
            _ => {
                kept.push(',');
                1
            }
        };
        rest = &from[length..];
    }
    kept.push_str(rest);
    kept
}

/// The end of a string, past its closing quote.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn comment_length(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let inner = text.strip_prefix("/*")?;
    Some(inner.find("*/").map_or(text.len(), |end| end + 4))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_accepted() {
        let text = "{ // one\n \"a\": [1, 2, /* x */ ], \"u\": \"http://x,]\\\"//\", }\n// end";
        let read = serde_json::from_str::<Value>(&strict(text)).ok();
        assert_eq!(read, Some(json!({"a": [1, 2], "u": "http://x,]\"//"})));
        assert!(parse(text).is_some());
        let keys = parse("{\"z\": 1, \"a\": {\"b\": null}, \"z\": \"y\"}").unwrap_or(Json::Null);
        assert_eq!(keys.get("z").and_then(Json::text), Some("y"));
        let names: Vec<_> = keys
            .entries()
            .unwrap_or_default()
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        assert_eq!(names, ["z", "a", "z"]);
        assert_eq!(parse("{ \"a\" }"), None);
        assert_eq!(parse("{\"a\": /"), None);
    }

    proptest::proptest! {
        #[test]
        fn strict_json_is_unchanged(keys in proptest::collection::vec("[a-z/*,\\]}\"\\\\]{0,8}", 0..6)) {
            let value = json!({ "keys": keys });
            let text = value.to_string();
            proptest::prop_assert_eq!(serde_json::from_str::<Value>(&strict(&text)).ok(), Some(value));
        }

        #[test]
        fn no_text_breaks_it(text in "[a\\[\\]{},/*\"\\\\\n:é]{0,60}") {
            let _ = parse(&text);
        }
    }
}
