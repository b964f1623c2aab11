//! The overview of a folder: hot spots, largest files, dependency cycles, languages, and what was left out.

use serde_json::{Map, Value, json};

use super::Exit;
use super::arguments::{Kind, Selection, page};
use super::run::Run;
use super::screen::Screen;
use super::table::{self, Page};

/// Rows of each list: an overview fits a screen.
const ROWS: usize = 10;
/// Nodes requested from the graph, those in cycles first. Each cycle is listed with its first node, and a few nodes
/// could all be in one cycle, so this is the largest page.
const NODES: usize = 1000;
/// Members of a cycle that are named: enough to recognise it.
const CHAIN: usize = 6;
/// The lists of the graph's answer.
const OF_GRAPH: [&str; 4] = ["cycles", "nodes", "external", "unresolved"];

/// Three answers about one folder. The second and third use the cached analyses of the first.
pub(super) struct Overview {
    hot_spots: Value,
    largest: Value,
    graph: Value,
    unparsed: Vec<String>,
}

impl Overview {
    pub(super) async fn collect(run: &Run, selection: &Selection) -> Result<Self, Exit> {
        let rows = selection.rows_or(ROWS);
        let ask = |level: &str, sort_by: &str| {
            let mut arguments = selection.shared(&run.targets)?;
            arguments.extend(page(rows));
            arguments.insert("level".to_owned(), json!(level));
            arguments.insert("sort_by".to_owned(), json!(sort_by));
            Ok::<_, Exit>(arguments)
        };
        let complexity = Kind::Complexity.tool();
        let hot_spots = run.call(complexity, ask("functions", "cognitive")?).await?;
        let largest = run.call(complexity, ask("files", "sloc")?).await?;
        let mut arguments = selection.shared(&run.targets)?;
        arguments.extend(page(if rows == 0 { 0 } else { NODES }));
        let mut graph = run.call(Kind::Dependencies.tool(), arguments).await?;
        cut(&mut graph.structured["data"], rows);
        let unparsed = run.unparsed(selection, &hot_spots.structured["coverage"]);
        Ok(Self {
            unparsed: unparsed.await?,
            hot_spots: hot_spots.structured,
            largest: largest.structured,
            graph: graph.structured,
        })
    }

    /// Merges the three answers into one envelope.
    pub(super) fn into_json(self) -> Value {
        let Self {
            mut hot_spots,
            largest,
            graph,
            unparsed: _,
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

    pub(super) fn to_text(&self, title: &str, screen: Screen) -> String {
        let mut page = Page::new(screen);
        page.title(&format!("Overview of {title}"));
        page.line("");
        let data = &self.hot_spots["data"];
        page.languages(data);
        page.section(
            "Hot spots (most cognitive complexity first)",
            table::FUNCTIONS,
            &data["functions"],
        );
        page.section(
            "Largest files",
            table::FILES,
            &self.largest["data"]["files"],
        );
        page.cycles(&self.graph["data"], CHAIN);
        self.count_cycles(&mut page);
        let mut whole = self.hot_spots.clone();
        whole["page"] = Value::Null;
        page.footer(&whole, &self.unparsed);
        page.end()
    }

    /// Says that there are no cycles, or more than shown. Says nothing if nothing was analysed.
    fn count_cycles(&self, page: &mut Page) {
        let graph = &self.graph["data"];
        let shown = graph["cycles"].as_array().map_or(0, Vec::len);
        let total = graph["totals"]["cycles"].as_u64().unwrap_or(0);
        let nodes = graph["totals"]["nodes"].as_u64().unwrap_or(0);
        match (total, nodes) {
            (0, 0) => {}
            (0, _) => page.say("No dependency cycles."),
            (total, _) if total > shown as u64 => page.say(&format!(
                "{shown} of {total} cycles shown; `analyze dependencies --limit 0` shows all."
            )),
            _ => {}
        }
    }
}

/// Keeps `rows` of each list; zero: all. The totals have the full counts.
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
