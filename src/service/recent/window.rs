//! The calls of one tool within the last minutes: counts in slots of time, and times in buckets. It takes 16 KiB however
//! many calls there are.

use std::collections::VecDeque;
use std::time::Duration;

use super::Rate;
use crate::answer::Fault;

/// What the rates cover: long enough for a few calls of a rare tool, short enough to show the present.
pub(super) const COVERED: Duration = Duration::from_secs(300);
/// A slot is forgotten as a whole.
const SLOT: Duration = Duration::from_secs(10);
const SLOTS: u64 = COVERED.as_secs() / SLOT.as_secs();
/// Buckets for each doubling of the time, which bounds the error of a quantile to an eighth.
const PARTS: u32 = 8;
/// Up to 2^32 microseconds, more than an hour: longer than any deadline in use.
const BUCKETS: usize = (32 * PARTS) as usize;

#[derive(Default)]
pub(super) struct Window {
    /// Oldest first; at most `SLOTS` and one more, which is still filling.
    slots: VecDeque<Slot>,
}

struct Slot {
    nth: u64,
    calls: u64,
    callers: u64,
    servers: u64,
    /// Bucket and count, in order. Calls of one tool take similar times, so a slot has few.
    times: Vec<(u16, u32)>,
}

impl Window {
    pub(super) fn add(&mut self, at: Duration, took: Duration, fault: Option<Fault>) {
        self.forget(at);
        let nth = nth(at);
        if self.slots.back().is_none_or(|slot| slot.nth < nth) {
            self.slots.push_back(Slot {
                nth,
                calls: 0,
                callers: 0,
                servers: 0,
                times: Vec::new(),
            });
        }
        let Some(slot) = self.slots.back_mut() else {
            return;
        };
        slot.calls += 1;
        match fault {
            Some(Fault::Caller) => slot.callers += 1,
            Some(Fault::Server) => slot.servers += 1,
            None => {}
        }
        let bucket = bucket(took);
        match slot.times.binary_search_by_key(&bucket, |time| time.0) {
            Ok(found) => slot.times[found].1 = slot.times[found].1.saturating_add(1),
            Err(place) => slot.times.insert(place, (bucket, 1)),
        }
    }

    pub(super) fn rate(&mut self, tool: &'static str, at: Duration) -> Option<Rate> {
        self.forget(at);
        let mut times = vec![0_u64; BUCKETS];
        let (mut calls, mut callers, mut servers) = (0, 0, 0);
        for slot in &self.slots {
            calls += slot.calls;
            callers += slot.callers;
            servers += slot.servers;
            for (bucket, count) in &slot.times {
                times[usize::from(*bucket)] += u64::from(*count);
            }
        }
        if calls == 0 {
            return None;
        }
        let minutes = at.min(COVERED).max(SLOT).as_secs_f64() / 60.0;
        Some(Rate {
            tool,
            calls,
            per_minute: calls as f64 / minutes,
            callers,
            servers,
            p50: quantile(&times, calls.div_ceil(2)),
            p95: quantile(&times, (calls * 95).div_ceil(100)),
        })
    }

    fn forget(&mut self, at: Duration) {
        let oldest = (nth(at) + 1).saturating_sub(SLOTS);
        while self.slots.front().is_some_and(|slot| slot.nth < oldest) {
            self.slots.pop_front();
        }
    }
}

fn nth(at: Duration) -> u64 {
    at.as_secs() / SLOT.as_secs()
}

/// The bucket of a time: the position of its highest bit, and the three bits below.
fn bucket(took: Duration) -> u16 {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let micros = u32::try_from(micros).unwrap_or(u32::MAX);
    let power = micros.ilog2();
    let part = ((u64::from(micros) * u64::from(PARTS)) >> power) as u32 - PARTS;
    u16::try_from(power * PARTS + part).unwrap_or(u16::MAX)
}

/// The upper end of the bucket that holds the `rank`-th time.
fn quantile(times: &[u64], rank: u64) -> Duration {
    let mut seen = 0;
    let found = times.iter().position(|count| {
        seen += count;
        seen >= rank
    });
    let bucket = found.unwrap_or(0) as u64;
    let (power, part) = (bucket / u64::from(PARTS), bucket % u64::from(PARTS));
    let upper = (u64::from(PARTS) + part + 1) << power;
    Duration::from_micros(upper.div_ceil(u64::from(PARTS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_an_eighth_too_high() {
        for micros in [
            1_u64,
            2,
            3,
            7,
            8,
            9,
            100,
            999,
            12_345,
            1_000_000,
            3_600_000_000,
        ] {
            let took = Duration::from_micros(micros);
            let mut times = vec![0; BUCKETS];
            times[usize::from(bucket(took))] = 1;
            let told = quantile(&times, 1);
            assert!(told >= took, "{told:?} for {took:?}");
            assert!(
                told <= took.mul_f64(1.126) + Duration::from_micros(1),
                "{told:?} for {took:?}"
            );
        }
        assert!(usize::from(bucket(Duration::MAX)) < BUCKETS);
        assert_eq!(bucket(Duration::ZERO), 0);
    }

    #[test]
    fn the_window_stays_bounded() {
        let mut window = Window::default();
        for second in 0..5000 {
            for millis in 0..20 {
                let took = Duration::from_millis(millis);
                window.add(Duration::from_secs(second), took, None);
            }
        }
        assert!(window.slots.len() as u64 <= SLOTS);
        let rate = window.rate("t", Duration::from_secs(4999));
        let rate = rate.expect("calls");
        assert_eq!(rate.calls, 300 * 20);
        assert!((rate.per_minute - 1200.0).abs() < 1.0, "{rate:?}");
    }
}
