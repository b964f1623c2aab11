//! Repeats requests whose answers may have been damaged on the way, and converts times to this node's clock.

use super::RedisStore;
use super::reply::strange;
use crate::clock::millis;
use crate::store::StoreError;

impl RedisStore {
    /// Reports damage only if it is the same over another connection: otherwise it happened on the way.
    pub(super) async fn seen_twice<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        let is_damage = |error: &StoreError| {
            matches!(error, StoreError::Corrupt(_) | StoreError::NewerSchema(_))
        };
        let first = match ask().await {
            Err(error) if is_damage(&error) => error,
            other => return other,
        };
        self.distrust();
        match ask().await {
            Err(second) if is_damage(&second) && second != first => Err(strange()),
            other => other,
        }
    }

    /// Converts remaining time to this node's clock, which may differ from the server's.
    pub(super) fn ends_in(&self, left_ms: u64) -> u64 {
        self.0.clock.now_ms().saturating_add(left_ms)
    }

    pub(super) fn lease(&self) -> u64 {
        millis(self.0.options.lease)
    }

    /// The connections returned a wrong answer, so all of them are replaced.
    pub(super) fn distrust(&self) {
        self.0.shared.broke();
        self.0.pool.retain(|_, _| false);
    }
}
