//! Messages between nodes about connections.

use actors::ids::StreamId;
use rmcp::model::ClientJsonRpcMessage;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Posted {
    /// From the client, for the node that holds its stream or runs its request.
    Message(Box<ClientJsonRpcMessage>),
    /// Asks whether the request on this stream still runs there.
    Runs(StreamId),
}

/// `None`: it cannot be serialised.
pub(crate) fn message(message: &ClientJsonRpcMessage) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Posting<'a> {
        Message(&'a ClientJsonRpcMessage),
    }
    serde_json::to_vec(&Posting::Message(message)).ok()
}

pub(crate) fn runs(stream: StreamId) -> Vec<u8> {
    serde_json::to_vec(&Posted::Runs(stream)).unwrap_or_default()
}

/// `None`: written by a node of another version.
pub(crate) fn read(bytes: &[u8]) -> Option<Posted> {
    serde_json::from_slice(bytes).ok()
}
