//! Decides what is news: pure, so that tests can try every order of events with made-up times.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::status::{Stuck, StuckList};

/// Entries open at once. Further ones are ignored until there is room: so many show that the whole node is stuck.
const OPEN_MAX: usize = 128;
/// Ended entries remembered: enough to see what happened in the last incident.
const ENDED_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct Book {
    open: Vec<Open>,
    ended: VecDeque<Stuck>,
    totals: BTreeMap<&'static str, u64>,
}

struct Open {
    late: Late,
    began_ms: u64,
}

/// Something that has not done what it should within its time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Late {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) doing: &'static str,
    /// Start of the message, or time of the last heartbeat. With the name it identifies an incident.
    pub(crate) since_us: u64,
    pub(crate) mailbox: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) enum News {
    Began(Stuck),
    Ended(Stuck),
}

impl Book {
    /// `late` is everything that is late at `now_us`; `wall_ms` is the same time since 1970.
    pub(crate) fn look(&mut self, now_us: u64, wall_ms: u64, mut late: Vec<Late>) -> Vec<News> {
        let mut news = Vec::new();
        let mut still = Vec::new();
        for mut open in std::mem::take(&mut self.open) {
            let same =
                |late: &Late| late.since_us == open.late.since_us && late.name == open.late.name;
            if let Some(at) = late.iter().position(same) {
                open.late = late.swap_remove(at);
                still.push(open);
                continue;
            }
            let stuck = open.shown(now_us, true);
            self.ended.push_front(stuck.clone());
            self.ended.truncate(ENDED_MAX);
            news.push(News::Ended(stuck));
        }
        self.open = still;
        for late in late {
            if self.open.len() >= OPEN_MAX {
                break;
            }
            *self.totals.entry(late.kind).or_default() += 1;
            let ago_ms = now_us.saturating_sub(late.since_us) / 1000;
            let open = Open {
                late,
                began_ms: wall_ms.saturating_sub(ago_ms),
            };
            news.push(News::Began(open.shown(now_us, false)));
            self.open.push(open);
        }
        news
    }

    pub(crate) fn list(&self, now_us: u64) -> StuckList {
        let open = self.open.iter().map(|open| open.shown(now_us, false));
        StuckList {
            now: open.collect(),
            ended: self.ended.iter().cloned().collect(),
            totals: self.totals.iter().map(|(kind, n)| (*kind, *n)).collect(),
        }
    }
}

impl Open {
    fn shown(&self, now_us: u64, over: bool) -> Stuck {
        Stuck {
            name: self.late.name.clone(),
            kind: self.late.kind,
            doing: self.late.doing,
            since_ms: self.began_ms,
            lasted: Duration::from_micros(now_us.saturating_sub(self.late.since_us)),
            over,
            mailbox: self.late.mailbox,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    /// The wall clock when the other one is at 0.
    const WALL_MS: u64 = 5_000_000;

    fn late(name: &str, since_us: u64) -> Late {
        Late {
            name: name.to_owned(),
            kind: "cache",
            doing: "lookup",
            since_us,
            mailbox: 3,
        }
    }

    fn look(book: &mut Book, now_us: u64, late: &[Late]) -> Vec<String> {
        let wall_ms = WALL_MS + now_us / 1000;
        let news = book.look(now_us, wall_ms, late.to_vec());
        let line = |news: &News| match news {
            News::Began(stuck) => format!("{} began at {}", stuck.name, stuck.since_ms),
            News::Ended(stuck) => format!("{} ended after {:?}", stuck.name, stuck.lasted),
        };
        news.iter().map(line).collect()
    }

    #[test]
    fn an_incident_is_reported_once_when_it_begins_and_once_when_it_ends() {
        let mut book = Book::default();
        assert!(look(&mut book, SECOND, &[]).is_empty());
        let held = [late("cache", SECOND)];
        assert_eq!(
            look(&mut book, 3 * SECOND, &held),
            ["cache began at 5001000"]
        );
        assert!(look(&mut book, 4 * SECOND, &held).is_empty());
        let list = book.list(4 * SECOND);
        assert_eq!(list.now[0].lasted, Duration::from_secs(3));
        assert!(!list.now[0].over);
        assert_eq!(look(&mut book, 5 * SECOND, &[]), ["cache ended after 4s"]);
        let list = book.list(9 * SECOND);
        assert!(list.now.is_empty());
        assert!(list.ended[0].over);
        assert_eq!(list.ended[0].lasted, Duration::from_secs(4));
        assert_eq!(list.totals, [("cache", 1)]);
    }

    #[test]
    fn the_next_message_of_the_same_actor_is_another_incident() {
        let mut book = Book::default();
        look(&mut book, 3 * SECOND, &[late("cache", SECOND)]);
        let news = look(&mut book, 9 * SECOND, &[late("cache", 7 * SECOND)]);
        assert_eq!(news, ["cache ended after 8s", "cache began at 5007000"]);
        assert_eq!(book.list(9 * SECOND).totals, [("cache", 2)]);
    }

    #[test]
    fn the_lists_are_bounded_and_keep_the_newest() {
        let mut book = Book::default();
        let all: Vec<_> = (0..OPEN_MAX + 50)
            .map(|n| late(&format!("session:{n}"), SECOND))
            .collect();
        assert_eq!(look(&mut book, 3 * SECOND, &all).len(), OPEN_MAX);
        assert!(look(&mut book, 4 * SECOND, &all).is_empty());
        assert_eq!(book.list(4 * SECOND).now.len(), OPEN_MAX);
        assert_eq!(look(&mut book, 5 * SECOND, &[]).len(), OPEN_MAX);
        look(&mut book, 7 * SECOND, &[late("newest", 6 * SECOND)]);
        look(&mut book, 8 * SECOND, &[]);
        let list = book.list(9 * SECOND);
        assert_eq!(
            (list.ended.len(), list.ended[0].name.as_str()),
            (ENDED_MAX, "newest")
        );
    }
}
