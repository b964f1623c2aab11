//! JSON as editors write it: comments and trailing commas are let pass.

use serde_json::Value;

/// `None` where it is no JSON even so. Nesting beyond what `serde_json` follows (128) is refused by it.
pub(super) fn parse(text: &str) -> Option<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    serde_json::from_str(&strict(text)).ok()
}

/// Comments become nothing; a comma before a closing bracket goes.
fn strict(text: &str) -> String {
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

/// With both quotes.
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
    use serde_json::json;

    use super::*;

    #[test]
    fn comments_and_trailing_commas_pass() {
        let text = "{ // one\n \"a\": [1, 2, /* x */ ], \"u\": \"http://x,]\\\"//\", }\n// end";
        assert_eq!(
            parse(text),
            Some(json!({"a": [1, 2], "u": "http://x,]\"//"}))
        );
        assert_eq!(parse("{ \"a\" }"), None);
        assert_eq!(parse("{\"a\": /"), None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_strict_already_stays(keys in proptest::collection::vec("[a-z/*,\\]}\"\\\\]{0,8}", 0..6)) {
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
