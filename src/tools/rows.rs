//! The rows of a result as a comparison reads them: columns instead of objects, so that half a million functions take
//! tens of megabytes. They are read from a stored result, or from the compact form of one that was too large to store.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::compact::COMPACT_CAP;
pub(super) use self::compact::encode;
pub(super) use self::functions::{Function, Functions, FunctionsOf};
pub(super) use self::graph::{Details, Graph, List};
pub(super) use self::symbols::{Symbol, Symbols, SymbolsOf};
pub(super) use self::texts::Column;
pub(super) use self::unparsed::{FileErrors, KEY as PARSE_ERRORS};
use crate::answer::Failure;

mod compact;
mod functions;
mod graph;
mod symbols;
#[cfg(test)]
mod tests;
mod texts;
mod unparsed;

/// The key of the rows in a whole result that is kept in the compact form.
pub(crate) const COMPACT: &str = "compact";

/// The parts of one result that a comparison needs.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) rows: Rows,
    pub(super) errors: FileErrors,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Rows {
    Functions(Functions),
    Symbols(Symbols),
    Graph(Graph),
}

impl Kept {
    /// # Errors
    /// `data_loss`: the stored result lacks rows, or is damaged. `different_tools`: results of this tool have none to
    /// compare. `session_newer`: its form is of a later version.
    pub(super) fn read(tool: &str, whole: &Value) -> Result<Self, Failure> {
        if let Some(compact) = whole.get(COMPACT) {
            let kept = compact::decode(compact)?;
            return match kept.rows.tool() == tool {
                true => Ok(kept),
                false => Err(lost("its rows are those of another tool")),
            };
        }
        let data = &whole["data"];
        let rows = match tool {
            "analyze_complexity" => Rows::Functions(Functions::read(list(data, "functions")?)),
            "analyze_dependencies" => Rows::Graph(Graph::read(data)?),
            "analyze_structure" => Rows::Symbols(Symbols::read(list(data, "symbols")?)),
            other => {
                return Err(Failure::new(
                    "different_tools",
                    format!("results of {other} cannot be compared, only those of analysis tools"),
                ));
            }
        };
        Ok(Self {
            rows,
            errors: FileErrors::read(whole),
        })
    }
}

impl Rows {
    fn tool(&self) -> &'static str {
        match self {
            Self::Functions(_) => "analyze_complexity",
            Self::Symbols(_) => "analyze_structure",
            Self::Graph(_) => "analyze_dependencies",
        }
    }
}

fn list<'d>(data: &'d Value, name: &str) -> Result<&'d [Value], Failure> {
    data[name]
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| lost(&format!("it holds no {name}")))
}

fn lost(why: &str) -> Failure {
    Failure::new(
        "data_loss",
        format!("a stored result cannot be read: {why}"),
    )
}

fn text<'r>(row: &'r Value, name: &str) -> &'r str {
    row[name].as_str().unwrap_or_default()
}

fn number(value: &Value) -> u32 {
    let number = value.as_u64().unwrap_or(0);
    u32::try_from(number).unwrap_or(u32::MAX)
}
