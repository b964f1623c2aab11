//! Drops error events of the protocol library that are not errors: a client that has disconnected gets no answer.
//! Clients disconnect all the time, so this must not trigger alerts on errors.

use std::fmt::Debug;

use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

const LIBRARY: &str = "rmcp";
const NO_ERRORS: [&str; 2] = [
    "failed to send pending response during drain",
    "fail to response message",
];

/// Drops these events at every log level.
pub(super) struct NoErrors;

impl<S: Subscriber> Layer<S> for NoErrors {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if !event.metadata().target().starts_with(LIBRARY) {
            return true;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        !NO_ERRORS.contains(&message.0.as_str())
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    struct Count(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Count {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_errors_of_disconnected_clients_are_dropped() {
        let heard = Arc::<AtomicUsize>::default();
        let subscriber = tracing_subscriber::registry()
            .with(NoErrors)
            .with(Count(Arc::clone(&heard)));
        tracing::subscriber::with_default(subscriber, || {
            let error = "channel closed";
            tracing::error!(target: "rmcp::service", %error, "failed to send pending response during drain");
            assert_eq!(heard.load(Ordering::Relaxed), 0);
            tracing::error!(target: "rmcp::service", %error, "response send task failed");
            tracing::error!(target: "actors", "failed to send pending response during drain");
        });
        assert_eq!(heard.load(Ordering::Relaxed), 2);
    }
}
