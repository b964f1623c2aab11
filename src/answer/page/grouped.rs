//! Groups rows by file, so that the path is not repeated in each row. A page still counts rows: a file whose rows
//! continue is named again on the next page.

use serde_json::{Map, Value, json};

use super::json_len;

/// The key of `data` that holds the files, each with its lists.
pub(super) const FILES: &str = "files";
const PATH: &str = "path";

/// Appends a row to its file, which is the last one or a new one. A row without a path stays in its own list.
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

/// Groups the rows that `data` already has. Each file gets one entry for the rows of all lists.
pub(super) fn regroup(data: &mut Map<String, Value>) {
    let mut files: Vec<(Value, Map<String, Value>)> = Vec::new();
    for (key, value) in data.iter_mut().filter(|(key, _)| *key != FILES) {
        let Value::Array(rows) = value else {
            continue;
        };
        for mut row in std::mem::take(rows) {
            match row.as_object_mut().and_then(|row| row.remove(PATH)) {
                None => rows.push(row),
                Some(path) => {
                    let at = files.iter().position(|(known, _)| *known == path);
                    let at = at.unwrap_or_else(|| {
                        files.push((path, Map::new()));
                        files.len() - 1
                    });
                    super::append(&mut files[at].1, key, row);
                }
            }
        }
    }
    data.retain(|_, value| value.as_array().is_none_or(|rows| !rows.is_empty()));
    for (path, lists) in files {
        let entry = data.entry(FILES).or_insert_with(|| json!([]));
        if let Value::Array(entries) = entry {
            let mut file = Map::from_iter([(PATH.to_owned(), path)]);
            file.extend(lists);
            entries.push(Value::Object(file));
        }
    }
}

/// The most bytes that these parts add to `data` when they are appended.
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
        // `"path":…,` belongs to the file.
        let named = json_len(&row[PATH]) + PATH.len() + 4;
        bytes += json_len(row).saturating_sub(named) + 1;
        if path != Some(&row[PATH]) {
            path = Some(&row[PATH]);
            lists.clear();
            // Braces and a comma.
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
    fn existing_rows_are_grouped_by_file_too() {
        let data = json!({
            "totals": {"files": 2},
            "imports": [{"path": "a", "line": 1}, {"path": "b", "line": 2}],
            "exports": [{"path": "a", "name": "x"}],
            "symbols": [],
        });
        let mut data = data.as_object().unwrap().clone();
        regroup(&mut data);
        assert_eq!(
            Value::Object(data),
            json!({"totals": {"files": 2}, "files": [
                {"path": "a", "imports": [{"line": 1}], "exports": [{"name": "x"}]},
                {"path": "b", "imports": [{"line": 2}]},
            ]})
        );
    }

    #[test]
    fn consecutive_rows_share_one_path() {
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
            // The last item of a list has no comma.
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
