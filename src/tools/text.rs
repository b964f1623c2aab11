//! Text for a model: figures first, without padding, because every space costs tokens.

use serde_json::Value;

/// A number with a unit word in the right form: `1 file`, `2 files`.
pub(crate) fn counted(count: impl Into<u64>, one: &str) -> String {
    let count = count.into();
    if count == 1 {
        return format!("1 {one}");
    }
    match one.strip_suffix('y') {
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {one}s"),
    }
}

/// Four decimals: finer than any use, coarser than rounding noise between platforms. Null if there is no number.
pub(crate) fn rounded(number: Option<f64>) -> Value {
    number
        .map(|number| (number * 10_000.0).round() / 10_000.0)
        .map_or(Value::Null, Value::from)
}

/// For a column: the number as in the structured part, or `-`.
pub(crate) fn figure(value: &Value) -> String {
    if value.is_null() {
        return "-".to_owned();
    }
    value.to_string()
}

/// On one line, for any source.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_the_right_plural() {
        assert_eq!(counted(1_u32, "file"), "1 file");
        assert_eq!(counted(0_u32, "file"), "0 files");
        assert_eq!(counted(2_u32, "dependency"), "2 dependencies");
    }

    #[test]
    fn a_missing_number_is_null_not_zero() {
        assert_eq!(rounded(None), Value::Null);
        assert_eq!(rounded(Some(f64::NAN)), Value::Null);
        assert_eq!(rounded(Some(1.234_567)), 1.2346);
    }
}
