//! Compares the stream with a model that keeps everything: reads return the end of it, as far as the bounds allow.

use proptest::prelude::*;

use super::*;

const STREAMS: u128 = 40;

fn batch(first: u64, sizes: &[usize], last: bool) -> Batch {
    let event = |(at, size): (usize, &usize)| {
        // Its first bytes say which it is.
        let mut bytes = (first + at as u64).to_le_bytes().to_vec();
        bytes.resize((*size).max(8), 0);
        Arc::<[u8]>::from(bytes)
    };
    Batch {
        first,
        events: sizes.iter().enumerate().map(event).collect(),
        last,
        over_hole: false,
    }
}

fn id(n: u128) -> StreamId {
    StreamId::from_u128(n)
}

fn numbers(recorded: &Recorded) -> Vec<u64> {
    for (number, event) in &recorded.events {
        assert_eq!(
            event[..8],
            number.to_le_bytes(),
            "another event under its number"
        );
    }
    recorded.events.iter().map(|(number, _)| *number).collect()
}

#[test]
fn recorded_events_are_read_after_any_number() {
    let mut streams = Streams::default();
    assert_eq!(streams.append(id(1), &Batch::beginning()), Appended::Kept);
    assert_eq!(streams.read(id(1), 0), Some(Recorded::default()));
    streams.append(id(1), &batch(1, &[8, 8], false));
    streams.append(id(1), &batch(3, &[8], true));
    let read = streams.read(id(1), 1).unwrap();
    assert_eq!((numbers(&read), read.ended), (vec![2, 3], true));
    assert_eq!(numbers(&streams.read(id(1), 7).unwrap()), Vec::<u64>::new());
    assert_eq!(streams.read(id(2), 0), None);
}

#[test]
fn repeated_events_are_accepted_and_out_of_order_events_refused() {
    let mut streams = Streams::default();
    assert_eq!(
        streams.append(id(1), &batch(2, &[8], false)),
        Appended::Behind(0)
    );
    assert_eq!(
        streams.append(id(1), &batch(1, &[8, 8], false)),
        Appended::Kept
    );
    assert_eq!(
        streams.append(id(1), &batch(1, &[8], false)),
        Appended::Kept
    );
    assert_eq!(
        streams.append(id(1), &batch(2, &[8, 8], false)),
        Appended::Kept
    );
    assert_eq!(numbers(&streams.read(id(1), 0).unwrap()), [1, 2, 3]);
    assert_eq!(
        streams.append(id(1), &batch(6, &[8], false)),
        Appended::Behind(3)
    );
    let over = Batch {
        over_hole: true,
        ..batch(6, &[8], true)
    };
    assert_eq!(streams.append(id(1), &over), Appended::Kept);
    assert_eq!(numbers(&streams.read(id(1), 0).unwrap()), [6]);
    assert_eq!(streams.append(id(1), &over), Appended::Kept);
    assert_eq!(
        streams.append(id(1), &batch(7, &[8], true)),
        Appended::Refused
    );
    let large = batch(1, &[BYTES_PER_STREAM + 1], true);
    assert_eq!(streams.append(id(2), &large), Appended::Refused);
}

#[test]
fn ended_streams_are_dropped_first() {
    let mut streams = Streams::default();
    for n in 0..STREAMS_PER_CONNECTION as u128 {
        streams.append(id(n), &batch(1, &[8], n == 5 || n == 9));
    }
    for n in 100..103 {
        assert_eq!(streams.append(id(n), &Batch::beginning()), Appended::Kept);
    }
    let gone: Vec<_> = (0..STREAMS_PER_CONNECTION as u128)
        .filter(|n| streams.read(id(*n), 0).is_none())
        .collect();
    assert_eq!(gone, [0, 5, 9]);
}

proptest! {
    #[test]
    fn the_newest_event_is_kept_and_the_bounds_hold(
        steps in proptest::collection::vec(
            (0..STREAMS, proptest::collection::vec(prop_oneof![Just(8_usize), Just(700_000)], 0..4), prop::bool::weighted(0.1)),
            0..120,
        ),
    ) {
        let mut streams = Streams::default();
        let mut model = HashMap::<u128, (u64, bool)>::new();
        for (n, sizes, last) in steps {
            let gone = streams.read(id(n), 0).is_none();
            let (reached, ended) = if gone { (0, false) } else { model.get(&n).copied().unwrap_or_default() };
            let new = batch(reached + 1, &sizes, last);
            let wanted = if ended && !sizes.is_empty() { Appended::Refused } else { Appended::Kept };
            prop_assert_eq!(streams.append(id(n), &new), wanted);
            if wanted == Appended::Kept {
                model.insert(n, (reached + sizes.len() as u64, ended || last));
            }
            let (reached, ended) = model[&n];
            let read = streams.read(id(n), 0).unwrap();
            let kept = numbers(&read);
            prop_assert_eq!(read.ended, ended);
            prop_assert!(kept.iter().rev().zip((1..=reached).rev()).all(|(kept, there)| *kept == there));
            prop_assert!(kept.len() as u64 == reached || kept.len() >= 5, "{kept:?} of {reached}");
            prop_assert!(streams.iter().count() <= STREAMS_PER_CONNECTION);
            prop_assert!(streams.bytes() <= BYTES_PER_CONNECTION);
            let sum: usize = streams.iter().map(|(_, stream)| stream.bytes).sum();
            prop_assert_eq!(sum, streams.bytes());
        }
    }
}
