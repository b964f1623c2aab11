//! Which function of one result is which of the other: by path and qualified name, then by body, then by nearest
//! range. Pure.

use std::collections::{HashMap, VecDeque};

/// What functions are matched by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject<'a> {
    pub(super) path: &'a str,
    pub(super) qualified_name: &'a str,
    pub(super) name: &'a str,
    pub(super) kind: &'a str,
    pub(super) body: &'a str,
    pub(super) start_line: u64,
    pub(super) lines: u64,
}

/// Bodies shorter than this look alike by chance: they match only where path or name is the same.
const TELLING_LINES: u64 = 3;
/// A function that was renamed and edited is looked for this many lines around where it was.
const NEAR_LINES: u64 = 20;

/// What must agree for a pair: kind, then up to three more.
type Key<'a> = (&'a str, &'a str, String, &'a str);

/// By index of `after`: the index of `before` that it was. Each is used once.
pub(super) fn matched(before: &[Subject<'_>], after: &[Subject<'_>]) -> Vec<Option<usize>> {
    let mut pairs = Pairs {
        of_after: vec![None; after.len()],
        used: vec![false; before.len()],
    };
    // Several may share a name (overloads, redefinitions): first those with the same body, then in order.
    pairs.by(before, after, |s| {
        Some((s.path, s.body, plain_name(s.qualified_name), ""))
    });
    pairs.by(before, after, |s| {
        Some((s.path, "", plain_name(s.qualified_name), ""))
    });
    // Renamed in its file, then moved under its name, then both.
    pairs.by(before, after, |s| {
        Some((s.path, s.body, String::new(), s.kind))
    });
    pairs.by(before, after, |s| {
        Some(("", s.body, s.name.to_owned(), s.kind))
    });
    pairs.by(before, after, |s| {
        (s.lines >= TELLING_LINES).then(|| ("", s.body, String::new(), s.kind))
    });
    pairs.by_range(before, after);
    pairs.of_after
}

/// A function without a name is known by its line, which changes when something above it does.
pub(super) fn plain_name(qualified_name: &str) -> String {
    let mut plain = String::with_capacity(qualified_name.len());
    let mut rest = qualified_name;
    while let Some((head, tail)) = rest.split_once('@') {
        plain.push_str(head);
        rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    plain + rest
}

struct Pairs {
    of_after: Vec<Option<usize>>,
    used: Vec<bool>,
}

impl Pairs {
    /// Pairs what is left and agrees in the key, in order.
    fn by<'a>(
        &mut self,
        before: &[Subject<'a>],
        after: &[Subject<'a>],
        key: impl Fn(&Subject<'a>) -> Option<Key<'a>>,
    ) {
        let mut waiting: HashMap<Key<'a>, VecDeque<usize>> = HashMap::new();
        for (was, subject) in before.iter().enumerate() {
            if let Some(key) = key(subject).filter(|_| !self.used[was]) {
                waiting.entry(key).or_default().push_back(was);
            }
        }
        for (is, subject) in after.iter().enumerate() {
            if self.of_after[is].is_some() {
                continue;
            }
            let candidates = key(subject).and_then(|key| waiting.get_mut(&key));
            if let Some(was) = candidates.and_then(VecDeque::pop_front) {
                self.of_after[is] = Some(was);
                self.used[was] = true;
            }
        }
    }

    /// In the same file, of the same kind, the nearest by its first line.
    fn by_range(&mut self, before: &[Subject<'_>], after: &[Subject<'_>]) {
        let mut starts: HashMap<(&str, &str), Vec<(u64, usize)>> = HashMap::new();
        for (at, subject) in before.iter().enumerate() {
            if !self.used[at] {
                let place = (subject.path, subject.kind);
                starts
                    .entry(place)
                    .or_default()
                    .push((subject.start_line, at));
            }
        }
        for (is, subject) in after.iter().enumerate() {
            if self.of_after[is].is_some() {
                continue;
            }
            let Some(candidates) = starts.get_mut(&(subject.path, subject.kind)) else {
                continue;
            };
            let distance = |start: u64| start.abs_diff(subject.start_line);
            let nearest = (candidates.iter().enumerate())
                .filter(|(_, (start, _))| distance(*start) <= NEAR_LINES)
                .min_by_key(|(_, (start, _))| distance(*start))
                .map(|(at, _)| at);
            if let Some(at) = nearest {
                let (_, was) = candidates.remove(at);
                self.of_after[is] = Some(was);
                self.used[was] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject<'a>(path: &'a str, name: &'a str, body: &'a str, start_line: u64) -> Subject<'a> {
        Subject {
            path,
            qualified_name: name,
            name,
            kind: "function",
            body,
            start_line,
            lines: 5,
        }
    }

    #[test]
    fn a_name_wins_over_a_body_and_lines_do_not_matter() {
        let before = [subject("a", "f", "1", 10), subject("a", "g", "2", 20)];
        let after = [subject("a", "f", "2", 400), subject("a", "g", "1", 300)];
        assert_eq!(matched(&before, &after), [Some(0), Some(1)]);
    }

    #[test]
    fn a_moved_and_a_renamed_function_are_found_by_their_bodies() {
        let before = [subject("a", "f", "1", 10), subject("a", "g", "2", 20)];
        let after = [subject("b", "f", "1", 10), subject("a", "h", "2", 90)];
        assert_eq!(matched(&before, &after), [Some(0), Some(1)]);
    }

    #[test]
    fn renamed_and_edited_is_found_where_it_was_but_not_far_away() {
        let before = [subject("a", "f", "1", 10)];
        assert_eq!(matched(&before, &[subject("a", "g", "2", 14)]), [Some(0)]);
        assert_eq!(matched(&before, &[subject("a", "g", "2", 200)]), [None]);
        assert_eq!(matched(&before, &[subject("b", "g", "2", 10)]), [None]);
    }

    #[test]
    fn overloads_pair_by_body_first() {
        let before = [subject("a", "f", "1", 1), subject("a", "f", "2", 9)];
        let after = [subject("a", "f", "2", 1), subject("a", "f", "3", 9)];
        assert_eq!(matched(&before, &after), [Some(1), Some(0)]);
    }

    #[test]
    fn trivial_bodies_elsewhere_are_no_match() {
        let mut before = subject("a", "f", "1", 10);
        let mut after = subject("b", "g", "1", 10);
        before.lines = 1;
        after.lines = 1;
        assert_eq!(matched(&[before], &[after]), [None]);
    }

    #[test]
    fn a_closure_keeps_its_name_when_its_line_changes() {
        assert_eq!(plain_name("outer.<anonymous@12>.f"), "outer.<anonymous>.f");
        let before = [subject("a", "f.<anonymous@12>", "1", 12)];
        let after = [subject("a", "f.<anonymous@90>", "2", 90)];
        assert_eq!(matched(&before, &after), [Some(0)]);
    }

    proptest! {
        #[test]
        fn everything_matches_itself_and_nothing_twice(
            names in prop::collection::vec(("[ab]", "[fgh]", "[123]", 1_u64..50), 0..30)
        ) {
            let subjects: Vec<_> = (names.iter())
                .map(|(path, name, body, line)| subject(path, name, body, *line))
                .collect();
            let matches = matched(&subjects, &subjects);
            let mut used: Vec<usize> = matches.iter().copied().flatten().collect();
            prop_assert_eq!(used.len(), subjects.len());
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), subjects.len());
        }
    }
}
