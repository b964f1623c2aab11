//! What a person wants to know of a folder first: where it hurts, what is large, what goes in circles, what is written
//! in which language, and what was left out.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::arguments::{Kind, Selection, page};
use super::run::Run;
use super::{Exit, table};

/// Rows of each list: an overview fits a screen.
const ROWS: usize = 10;
/// Nodes of the graph that are asked for, those in cycles first: each cycle comes with its first node, so that a few
/// nodes could all be of one cycle. The largest page there is.
const NODES: usize = 1000;
/// Members of a cycle that are named: enough to see where it runs.
const CHAIN: usize = 6;
/// The lists of the graph's answer.
const OF_GRAPH: [&str; 5] = ["cycles", "cycle_sizes", "nodes", "external", "unresolved"];

/// Three answers over one folder; the second and third find everything parsed.
pub(super) struct Overview {
    hot_spots: Value,
    largest: Value,
    graph: Value,
}

impl Overview {
    pub(super) async fn collect(run: &Run, selection: &Selection) -> Result<Self, Exit> {
        let rows = selection.rows_or(ROWS);
        let ask = |level: &str, sort_by: &str| {
            let mut arguments = selection.shared(&run.path);
            arguments.extend(page(rows));
            arguments.insert("level".to_owned(), json!(level));
            arguments.insert("sort_by".to_owned(), json!(sort_by));
            arguments
        };
        let complexity = Kind::Complexity.tool();
        let hot_spots = run.call(complexity, ask("functions", "cognitive")).await?;
        let largest = run.call(complexity, ask("files", "sloc")).await?;
        let mut arguments = selection.shared(&run.path);
        arguments.extend(page(if rows == 0 { 0 } else { NODES }));
        let mut graph = run.call(Kind::Dependencies.tool(), arguments).await?;
        cut(&mut graph.structured["data"], rows);
        Ok(Self {
            hot_spots: hot_spots.structured,
            largest: largest.structured,
            graph: graph.structured,
        })
    }

    /// One envelope: `data` has what the three found, beside what is said of all.
    pub(super) fn into_json(self) -> Value {
        let Self {
            mut hot_spots,
            largest,
            graph,
        } = self;
        let mut data = Map::new();
        for (answer, keys) in [
            (
                &hot_spots,
                ["functions", "languages", "totals", "profile"].as_slice(),
            ),
            (&largest, &["files"]),
            (&graph, &OF_GRAPH),
        ] {
            for key in keys {
                if let Some(value) = answer["data"].get(key) {
                    data.insert((*key).to_owned(), value.clone());
                }
            }
        }
        data.insert("graph_totals".to_owned(), graph["data"]["totals"].clone());
        hot_spots["data"] = Value::Object(data);
        hot_spots["metadata"]["tool"] = json!("overview");
        hot_spots["page"] = Value::Null;
        hot_spots
    }

    pub(super) fn to_text(&self, target: &str) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = writeln!(text, "Overview of {target}\n");
        let data = &self.hot_spots["data"];
        table::section(
            &mut text,
            "Languages",
            &table::LANGUAGES,
            &data["languages"],
        );
        table::section(
            &mut text,
            "Hot spots (most cognitive complexity first)",
            &table::FUNCTIONS,
            &data["functions"],
        );
        table::section(
            &mut text,
            "Largest files",
            &table::FILES,
            &self.largest["data"]["files"],
        );
        let graph = &self.graph["data"];
        table::cycles(&mut text, graph, CHAIN);
        self.count_cycles(&mut text);
        let mut whole = self.hot_spots.clone();
        whole["page"] = Value::Null;
        table::footer(&mut text, &whole);
        text
    }

    /// Says that there are none, or that there are more. Where nothing was analysed, nothing is said.
    fn count_cycles(&self, text: &mut String) {
        let graph = &self.graph["data"];
        let shown = graph["cycles"].as_array().map_or(0, Vec::len);
        let total = graph["totals"]["cycles"].as_u64().unwrap_or(0);
        let nodes = graph["totals"]["nodes"].as_u64().unwrap_or(0);
        // Writing to a text cannot fail.
        let _ = match (total, nodes) {
            (0, 0) => Ok(()),
            (0, _) => writeln!(text, "No dependency cycles."),
            (total, _) if total > shown as u64 => writeln!(
                text,
                "{shown} of {total} cycles shown; `analyze dependencies --limit 0` shows all."
            ),
            _ => Ok(()),
        };
    }
}

/// Leaves `rows` of each list; zero: all. What there is in all stands in the totals.
fn cut(graph: &mut Value, rows: usize) {
    if rows == 0 {
        return;
    }
    for key in OF_GRAPH {
        if let Some(list) = graph.get_mut(key).and_then(Value::as_array_mut) {
            list.truncate(rows);
        }
    }
}
