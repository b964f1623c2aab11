//! Parts fit, are documents by themselves, and join up to the whole.

use proptest::prelude::*;

use super::*;

fn document(body: Value) -> Document {
    let map = |value: Value| value.as_object().cloned().expect("an object");
    Document {
        every: map(json!({"result_id": "res_1"})),
        first: map(json!({"arguments": {"path": "src"}})),
        under: Some("data"),
        body: map(body),
    }
}

/// All parts, each checked by itself.
fn all(body: &Value) -> Vec<Value> {
    let mut parts = Vec::new();
    loop {
        let number = parts.len() + 1;
        let address = |part: usize| format!("x?part={part}");
        let text = document(body.clone())
            .part(number, address)
            .expect("there is such a part");
        // As it lies in a message.
        assert!(
            json!(text).to_string().len() <= PART_BYTES + 2,
            "part {number}"
        );
        let part: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(part["result_id"], "res_1");
        let next = part["next"].clone();
        parts.push(part);
        if next.is_null() {
            return parts;
        }
        assert_eq!(next, format!("x?part={}", number + 1));
    }
}

/// As a reader joins them.
fn joined(parts: &[Value]) -> Value {
    let mut whole = Map::new();
    let mut pieces: Map<String, Value> = Map::new();
    for part in parts {
        for (key, value) in part["data"].as_object().expect("an object") {
            match (whole.get_mut(key), value) {
                (Some(Value::Array(rows)), Value::Array(more)) => rows.extend(more.iter().cloned()),
                _ => drop(whole.insert(key.clone(), value.clone())),
            }
        }
        for piece in part["pieces"].as_array().into_iter().flatten() {
            let of = piece["of"].as_str().expect("a text");
            let text = pieces.entry(of).or_insert_with(|| json!(""));
            *text = json!(
                text.as_str().expect("a text").to_owned() + piece["text"].as_str().expect("a text")
            );
        }
    }
    let place = |of: &str| -> Option<(String, usize)> {
        let (key, at) = of.strip_suffix(']')?.split_once('[')?;
        Some((key.to_owned(), at.parse().expect("a number")))
    };
    let mut pieces: Vec<_> = pieces
        .into_iter()
        .map(|(of, text)| (place(&of), of, text))
        .collect();
    pieces.sort_by(|left, right| left.0.cmp(&right.0));
    for (place, of, text) in pieces {
        let value: Value = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
        match place {
            Some((key, at)) => {
                let rows = whole
                    .get_mut(&key)
                    .and_then(Value::as_array_mut)
                    .expect("its list");
                rows.insert(at, value);
            }
            None => drop(whole.insert(of, value)),
        }
    }
    Value::Object(whole)
}

#[test]
fn a_small_document_has_one_part() {
    let body = json!({"functions": [{"name": "f"}], "totals": {"functions": 1}});
    let whole = document(body.clone())
        .part(1, |_| String::new())
        .expect("whole");
    let whole: Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!(
        whole,
        json!({"result_id": "res_1", "arguments": {"path": "src"}, "data": body})
    );
    for number in [0, 2, usize::MAX] {
        let none = document(body.clone()).part(number, |_| String::new());
        assert_eq!(none, Err(NoSuchPart { parts: 1 }), "{number}");
    }
}

#[test]
fn a_large_document_is_split_into_parts_that_join_up() {
    let row = |n: usize| json!({"path": format!("src/m{n}.py"), "qualified_name": "a \"b\" \\ c".repeat(n % 30)});
    let rows: Vec<Value> = (0..4000).map(row).collect();
    let body = json!({
        "functions": rows, "files": [], "totals": {"functions": 4000},
        "zeta": (0..3000).map(row).collect::<Vec<_>>(),
    });
    assert!(body.to_string().len() > 1 << 20);
    let parts = all(&body);
    assert_eq!(joined(&parts), body);
    assert_eq!(parts[0]["arguments"]["path"], "src");
    assert!(parts[1]["arguments"].is_null());
    assert!(parts.iter().all(|part| part["parts"] == parts.len()));
    let beyond = document(body).part(parts.len() + 1, |_| String::new());
    assert_eq!(beyond, Err(NoSuchPart { parts: parts.len() }));
}

#[test]
fn one_row_and_one_field_larger_than_a_part_come_in_pieces() {
    let cycle: Vec<String> = (0..30_000).map(|n| format!("pkg/é\"{n}\".py")).collect();
    let body = json!({
        "cycles": [["a", "b"], cycle, ["c"]],
        "diagram": "\\\"é".repeat(200_000),
        "edges": [1, 2, 3],
    });
    assert_eq!(joined(&all(&body)), body);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_document_joins_up(
        lists in prop::collection::btree_map("[a-z]{1,6}", prop::collection::vec((0_usize..20_000, "[a-z\"\\\\é]{1,8}"), 0..8), 1..4)
    ) {
        let rows = |rows: Vec<(usize, String)>| -> Vec<Value> {
            rows.into_iter().map(|(times, text)| json!({"text": text.repeat(times)})).collect()
        };
        let lists = lists.into_iter().map(|(key, list)| (key, json!(rows(list))));
        let body = Value::Object(lists.collect());
        let parts = all(&body);
        if parts.len() > 1 {
            prop_assert_eq!(joined(&parts), body);
        }
    }
}
