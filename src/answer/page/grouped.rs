//! Rows under the file that they are of, so that its path is not said with each. A page still counts rows: a file that
//! goes on is named again on the next page.

use serde_json::{Map, Value, json};

use super::json_len;

/// The key of `data` that holds the files, each with its lists.
pub(super) const FILES: &str = "files";
const PATH: &str = "path";

/// Puts a row into a list of its file: the last one, or a new one. A row without a path stays in a list of its own.
pub(super) fn append(data: &mut Map<String, Value>, key: &str, mut row: Value) {
    let Some(path) = row.as_object_mut().and_then(|row| row.remove(PATH)) else {
        return super::append(data, key, row);
    };
    let files = data.entry(FILES).or_insert_with(|| json!([]));
    let Value::Array(files) = files else {
        return;
    };
    if files.last().is_none_or(|file| file[PATH] != path) {
        files.push(json!({PATH: path}));
    }
    if let Some(Value::Object(file)) = files.last_mut() {
        super::append(file, key, row);
    }
}

/// Bytes that these parts add to `data` at most: `append` says where they go.
pub(super) fn added_len(data: &Map<String, Value>, parts: &[(&'static str, Value)]) -> usize {
    let last = data.get(FILES).and_then(Value::as_array);
    let last = last.and_then(|files| files.last());
    let mut path = last.map(|file| &file[PATH]);
    let mut lists: Vec<&str> = last
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|file| file.keys().map(String::as_str))
        .collect();
    let mut bytes = match last {
        Some(_) => 0,
        None => list_len(FILES),
    };
    for (key, row) in parts {
        // `"path":…,` goes with the file.
        let named = json_len(&row[PATH]) + PATH.len() + 4;
        bytes += json_len(row).saturating_sub(named) + 1;
        if path != Some(&row[PATH]) {
            path = Some(&row[PATH]);
            lists.clear();
            // Its braces and a comma.
            bytes += named + 3;
        }
        if !lists.contains(key) {
            lists.push(key);
            bytes += list_len(key);
        }
    }
    bytes
}

/// `"key":[],`
fn list_len(key: &str) -> usize {
    key.len() + 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_said_once_for_the_rows_that_follow_each_other() {
        let rows = [
            ("s", "a", 1),
            ("t", "a", 2),
            ("s", "a", 3),
            ("s", "b", 4),
            ("s", "a", 5),
        ];
        let mut data = Map::new();
        for (key, path, value) in rows {
            let row = json!({"path": path, "value": value});
            let parts = [(key, row)];
            let before = json_len(&data) + added_len(&data, &parts);
            let [(key, row)] = parts;
            append(&mut data, key, row);
            assert!(json_len(&data) <= before, "{data:?}");
            // Commas that the last of a list does not have.
            assert!(before - json_len(&data) <= 4, "{data:?}");
        }
        assert_eq!(
            Value::Object(data),
            json!({"files": [
                {"path": "a", "s": [{"value": 1}, {"value": 3}], "t": [{"value": 2}]},
                {"path": "b", "s": [{"value": 4}]},
                {"path": "a", "s": [{"value": 5}]},
            ]})
        );
    }
}
