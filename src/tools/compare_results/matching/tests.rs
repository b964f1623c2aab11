use proptest::prelude::*;

use super::*;

const GO_ON: Stop<'static> = &|| false;

fn subject(path: u32, name: u32, body: u64, start_line: u32) -> Subject {
    Subject {
        path,
        qualified_name: name,
        name: Some(name),
        kind: 0,
        body: Some(body),
        sketch: None,
        start_line,
        lines: 5,
    }
}

fn pairs(before: &[Subject], after: &[Subject]) -> Vec<Option<u32>> {
    matched(before, after, GO_ON).unwrap()
}

const A: u32 = 100;
const B: u32 = 101;
const F: u32 = 200;
const G: u32 = 201;
const H: u32 = 202;
/// 16 bins, all filled.
const SKETCH: u64 = 0x1234_5678_9abc_def1;

#[test]
fn a_name_wins_over_a_body_and_lines_do_not_matter() {
    let before = [subject(A, F, 1, 10), subject(A, G, 2, 20)];
    let after = [subject(A, F, 2, 400), subject(A, G, 1, 300)];
    assert_eq!(pairs(&before, &after), [Some(0), Some(1)]);
}

#[test]
fn a_moved_and_a_renamed_function_are_found_by_their_bodies() {
    let before = [subject(A, F, 1, 10), subject(A, G, 2, 20)];
    let after = [subject(B, F, 1, 10), subject(A, H, 2, 90)];
    assert_eq!(pairs(&before, &after), [Some(0), Some(1)]);
}

#[test]
fn another_function_at_the_same_place_is_no_match() {
    let before = [subject(A, F, 1, 10)];
    assert_eq!(pairs(&before, &[subject(A, G, 2, 10)]), [None]);
}

#[test]
fn bodies_that_are_near_match_and_those_that_are_not_do_not() {
    let near = |sketch, path, name| Subject {
        sketch: Some(sketch),
        ..subject(path, name, sketch, 10)
    };
    let before = [near(SKETCH, A, F)];
    // Renamed and edited in its file; moved and edited under its name; both.
    for (path, name) in [(A, G), (B, F), (B, G)] {
        let after = [near(SKETCH ^ 0xfff, path, name)];
        assert_eq!(pairs(&before, &after), [Some(0)], "{path} {name}");
        let after = [near(SKETCH ^ 0xffff_ffff_ffff, path, name)];
        assert_eq!(pairs(&before, &after), [None], "{path} {name}");
        // If neither name nor file is the same, more bins must be equal.
        let after = [near(SKETCH ^ 0xf_ffff, path, name)];
        let found = (path == A || name == F).then_some(0);
        assert_eq!(pairs(&before, &after), [found], "{path} {name}");
    }
    // Too short, or with too few tokens.
    let mut short = near(SKETCH ^ 0xfff, A, G);
    short.lines = 2;
    assert_eq!(pairs(&before, &[short]), [None]);
    let few = [near(0x0123, A, F)];
    assert_eq!(pairs(&few, &[near(0x0124, A, G)]), [None]);
    // A result of a version without sketches.
    assert_eq!(
        pairs(&[subject(A, F, 1, 10)], &[near(SKETCH, A, G)]),
        [None]
    );
}

#[test]
fn the_nearest_wins_and_then_the_nearest_line() {
    let near = |sketch, name, line| Subject {
        sketch: Some(sketch),
        ..subject(A, name, sketch ^ u64::from(name), line)
    };
    let before = [near(SKETCH, 1, 10), near(SKETCH, 2, 50)];
    let after = [near(SKETCH ^ 0xf, 3, 49), near(SKETCH ^ 0xff, 4, 48)];
    assert_eq!(pairs(&before, &after), [Some(1), Some(0)]);
    let after = [near(SKETCH ^ 0xff, 3, 49), near(SKETCH ^ 0xf, 4, 48)];
    assert_eq!(pairs(&before, &after), [Some(0), Some(1)]);
}

#[test]
fn overloads_pair_by_body_first() {
    let before = [subject(A, F, 1, 1), subject(A, F, 2, 9)];
    let after = [subject(A, F, 2, 1), subject(A, F, 3, 9)];
    assert_eq!(pairs(&before, &after), [Some(1), Some(0)]);
}

#[test]
fn trivial_bodies_elsewhere_are_no_match() {
    let mut before = subject(A, F, 1, 10);
    let mut after = subject(B, G, 1, 10);
    before.lines = 1;
    after.lines = 1;
    assert_eq!(pairs(&[before], &[after]), [None]);
}

#[test]
fn a_closure_keeps_its_name_when_its_line_changes() {
    assert_eq!(plain_name("outer.<anonymous@12>.f"), "outer.<anonymous>.f");
    assert_eq!(plain_name("outer.f"), "outer.f");
}

/// Every function was renamed and edited, all in one file and of one kind.
#[test]
fn many_candidates_are_bounded_and_still_found() {
    let word = |at: u32| crate::analysis::metrics::sketch::test_word(at.into());
    let of = |at: u32, edit: u64, name: u32| Subject {
        sketch: Some(word(at) ^ edit),
        ..subject(A, name, word(at) ^ edit, at * 10)
    };
    let before: Vec<_> = (0..20_000).map(|at| of(at, 0, at)).collect();
    let after: Vec<_> = (0..20_000)
        .map(|at| of(at, 0xff << 20, 50_000 + at))
        .collect();
    let found = pairs(&before, &after);
    let right = (0..).zip(&found).filter(|(at, was)| **was == Some(*at));
    assert_eq!(right.count(), before.len());
}

proptest! {
    #[test]
    fn everything_matches_itself_and_nothing_twice(
        names in prop::collection::vec((0_u32..2, 2_u32..5, 1_u64..4, 1_u32..50), 0..30)
    ) {
        let subjects: Vec<_> = (names.iter())
            .map(|(path, name, body, line)| subject(*path, *name, *body, *line))
            .collect();
        let matches = pairs(&subjects, &subjects);
        let mut used: Vec<u32> = matches.iter().copied().flatten().collect();
        prop_assert_eq!(used.len(), subjects.len());
        used.sort_unstable();
        used.dedup();
        prop_assert_eq!(used.len(), subjects.len());
    }
}
