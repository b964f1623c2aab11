//! Counts wrong tokens by the address that sent them. In memory only: a restart resets the counters, and each node
//! counts for itself.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens of one address in [`WINDOW`]: more than a misconfigured client sends while a person tries it.
const ALLOWED: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses with their own counter. Further ones share a counter.
const ADDRESSES: usize = 4096;
/// The usual IPv6 network of one customer.
const V6_PREFIX: u32 = 64;

/// The peer address of a connection, added to each of its requests by the listener.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

#[derive(Default)]
pub(super) struct Guesses(Mutex<HashMap<Option<IpAddr>, Tally>>);

struct Tally {
    since: Instant,
    wrong: u32,
}

impl Guesses {
    /// Counts a wrong token. `Err`: there were too many, and the address is blocked for this long.
    pub(super) fn wrong(&self, from: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut from = from.map(network);
        if !tallies.contains_key(&from) && tallies.len() >= ADDRESSES {
            tallies.retain(|_, tally| now.duration_since(tally.since) < WINDOW);
            if tallies.len() >= ADDRESSES {
                from = None;
            }
        }
        let begin = || Tally {
            since: now,
            wrong: 0,
        };
        let tally = tallies.entry(from).or_insert_with(begin);
        if now.duration_since(tally.since) >= WINDOW {
            *tally = begin();
        }
        tally.wrong = tally.wrong.saturating_add(1);
        if tally.wrong <= ALLOWED {
            return Ok(());
        }
        if tally.wrong == ALLOWED + 1 {
            tracing::warn!(address = ?from, allowed = ALLOWED, "too many wrong tokens in a minute: further wrong tokens from this address are refused with 429");
        }
        Err(WINDOW.saturating_sub(now.duration_since(tally.since)))
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let mask = u128::MAX << (u128::BITS - V6_PREFIX);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_guessing_address_is_blocked() {
        let (guesses, start) = (Guesses::default(), Instant::now());
        let (one, other) = ("10.0.0.1".parse().ok(), "10.0.0.2".parse().ok());
        for _ in 0..ALLOWED {
            assert_eq!(guesses.wrong(one, start), Ok(()));
        }
        let later = start + WINDOW / 4;
        assert_eq!(guesses.wrong(one, later), Err(WINDOW - WINDOW / 4));
        assert_eq!(guesses.wrong(other, later), Ok(()));
        assert_eq!(guesses.wrong(one, start + WINDOW), Ok(()));
    }

    #[test]
    fn an_ipv6_network_shares_a_counter_and_mapped_addresses_do_not() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }

    #[test]
    fn the_number_of_counters_is_bounded() {
        let (guesses, start) = (Guesses::default(), Instant::now());
        for n in 0..2 * ADDRESSES as u32 {
            let _ = guesses.wrong(Some(IpAddr::from(n.to_be_bytes())), start);
        }
        assert!(guesses.0.lock().expect("whole").len() <= ADDRESSES + 1);
        assert!(
            guesses
                .wrong(Some(IpAddr::from([255, 0, 0, 1])), start)
                .is_err()
        );
        assert_eq!(
            guesses.wrong(Some(IpAddr::from([255, 0, 0, 1])), start + WINDOW),
            Ok(())
        );
        assert!(guesses.0.lock().expect("whole").len() <= 2);
    }
}
