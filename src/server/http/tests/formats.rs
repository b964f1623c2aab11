//! Reading and writing of wire formats, for any content.

use actors::ids::StreamId;
use proptest::prelude::*;
use rmcp::model::{JsonRpcMessage, ServerJsonRpcMessage};
use serde_json::{Value, json};

use super::anything;
use crate::server::connections::replay::EventId;
use crate::server::http::{batch, sse};

/// Parses an event stream as browsers do: the fields of each event.
fn events(text: &str) -> Vec<Vec<(&str, &str)>> {
    let lines = text.split(['\n', '\r']);
    let mut events = vec![Vec::new()];
    for line in lines {
        if line.is_empty() {
            events.push(Vec::new());
        } else if let Some(last) = events.last_mut() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            last.push((field, value.strip_prefix(' ').unwrap_or(value)));
        }
    }
    events.retain(|event| !event.is_empty());
    events
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_message_is_one_event(
        id in "\\PC{0,8}",
        value in anything(),
        text in "[\\PC\n\r\u{85}\u{2028}\u{2029}\u{0}]{0,40}",
    ) {
        let text = format!("{text}\n\nevent: endpoint\r\ndata: /elsewhere\n\n");
        let message = json!({"jsonrpc": "2.0", "id": id, "result": {"said": text, "value": value}});
        let message: ServerJsonRpcMessage = serde_json::from_value(message).expect("a message");
        let event = sse::event(&message).expect("written");
        let event = std::str::from_utf8(&event).expect("text");
        let read = events(event);
        prop_assert_eq!(read.len(), 1, "{}", event);
        let [("event", "message"), ("data", data)] = read[0][..] else {
            panic!("{event}");
        };
        let again: ServerJsonRpcMessage = serde_json::from_str(data).expect("JSON");
        prop_assert!(matches!(again, JsonRpcMessage::Response(_)));
        let (again, said): (Value, Value) = (
            serde_json::to_value(&again).expect("JSON"),
            serde_json::to_value(&message).expect("JSON"),
        );
        prop_assert_eq!(again, said);
    }

    #[test]
    fn a_position_is_read_as_it_was_written(number in any::<u64>(), other in "\\PC{0,60}") {
        let id = EventId { stream: StreamId::random(), number };
        let text = id.to_string();
        prop_assert_eq!(text.parse(), Ok(id));
        for broken in [&text[1..], &text[..text.len() / 2], &format!("{text}x"), &format!("{other}.{number}")] {
            let read = broken.parse::<EventId>();
            prop_assert!(read.is_err() || read == Ok(id), "{}", broken);
        }
        // A position that parses is written back unchanged.
        if let Ok(read) = other.parse::<EventId>() {
            prop_assert_eq!(read.to_string().parse(), Ok(read));
        }
    }

    #[test]
    fn a_batch_keeps_its_order_or_is_refused(
        ids in prop::collection::vec(any::<i64>(), 0..130),
        white in "[ \t\r\n]{0,5}",
        cut in any::<prop::sample::Index>(),
    ) {
        let messages = ids.iter().map(|id| json!({"jsonrpc": "2.0", "id": id, "method": "ping"}));
        let text = format!("{white}{}{white}", Value::from_iter(messages));
        prop_assert!(batch::is_batch(text.as_bytes()));
        let read = batch::messages(text.as_bytes());
        prop_assert_eq!(read.is_ok(), (1..=100).contains(&ids.len()));
        if let Ok(read) = read {
            let got: Vec<_> = read
                .iter()
                .map(|message| serde_json::to_value(message).expect("JSON")["id"].as_i64())
                .collect();
            prop_assert_eq!(got, ids.iter().copied().map(Some).collect::<Vec<_>>());
        }
        let whole = text.trim_end();
        let part = &whole[..cut.index(whole.len())];
        prop_assert!(batch::messages(part.as_bytes()).is_err(), "{}", part);
    }

    #[test]
    fn invalid_messages_are_reported_and_not_repeated(body in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(unfit) = batch::messages(&body) {
            prop_assert!(unfit.to_string().len() < 400, "{}", unfit);
        }
    }
}
