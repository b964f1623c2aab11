//! Requests that need input from the client before they have a result. Each round names what is missing; the client
//! carries the sealed state.

use std::sync::LazyLock;

use rmcp::ErrorData;
use rmcp::RoleServer;
use rmcp::model::{
    ClientCapabilities, InputRequests, InputRequiredResult, InputResponses, RequestStateCodec,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};

use super::fixture::{TEXTS, read};

/// A key for this process only: a test ends with it.
static SEAL: LazyLock<RequestStateCodec> =
    LazyLock::new(|| RequestStateCodec::try_new([7; 32]).expect("a key that is long enough"));

pub(super) enum Outcome {
    More(InputRequiredResult),
    /// The result of the last round.
    Done(Value),
}

/// `None`: a tool of this name needs no input.
pub(super) fn next(
    name: &str,
    state: Option<String>,
    answers: Option<InputResponses>,
    context: &RequestContext<RoleServer>,
) -> Result<Option<Outcome>, ErrorData> {
    let Some(rounds) = TEXTS["rounds"].get(name).and_then(Value::as_array) else {
        return Ok(None);
    };
    let mut round = match state {
        Some(state) => opened(&state, name)?,
        None => 0,
    };
    let client = context.client_capabilities().unwrap_or_default();
    let needed = rounds.get(round).map(|round| inputs(round, &client));
    let needed = needed.ok_or_else(|| ErrorData::invalid_params("no such round", None))?;
    if let Some(answers) = answers
        && needed
            .keys()
            .all(|key| answers.get(key).is_some_and(Value::is_object))
    {
        round += 1;
        if round == rounds.len() {
            return Ok(Some(Outcome::Done(json!(answers))));
        }
    }
    let state = SEAL.seal_json(&(name, round));
    let state = state.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let needed = inputs(&rounds[round], &client);
    Ok(Some(Outcome::More(InputRequiredResult::new(
        Some(needed),
        Some(state),
    ))))
}

fn opened(state: &str, name: &str) -> Result<usize, ErrorData> {
    let (of, round): (String, usize) = SEAL
        .open_json(state)
        .map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
    if of != name {
        return Err(ErrorData::invalid_params(
            "the state is of another call",
            None,
        ));
    }
    Ok(round)
}

/// Asks a client only for what it can answer.
fn inputs(round: &Value, client: &ClientCapabilities) -> InputRequests {
    let asked = round.as_object().into_iter().flatten();
    let can = asked.filter(|(_, kind)| match kind.as_str() {
        Some("TEXT") => client.elicitation.is_some(),
        Some("MODEL") => client.sampling.is_some(),
        _ => client.roots.is_some(),
    });
    can.map(|(key, kind)| {
        let kind = kind.as_str().expect("a kind of input");
        (key.clone(), read(&TEXTS["inputs"][kind]))
    })
    .collect()
}
