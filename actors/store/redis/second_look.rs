//! Second looks at answers that may have been damaged on their way, and times by this node's clock.

use super::RedisStore;
use super::reply::strange;
use crate::clock::millis;
use crate::store::StoreError;

impl RedisStore {
    /// Damage is believed when it is seen again, the same, over other connections: it may have come about on the way.
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

    /// By this node's clock, which need not agree with the server's.
    pub(super) fn ends_in(&self, left_ms: u64) -> u64 {
        self.0.clock.now_ms().saturating_add(left_ms)
    }

    pub(super) fn lease(&self) -> u64 {
        millis(self.0.options.lease)
    }

    /// What came over the connections cannot be right: none of them is used again.
    pub(super) fn distrust(&self) {
        self.0.shared.broke();
        self.0.pool.retain(|_, _| false);
    }
}
