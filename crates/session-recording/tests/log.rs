//! The log of entries: what was put comes back, and nothing else passes.

use bytes::Bytes;
use proptest::prelude::*;
use session_recording::{
    Entries, Entry, EntryError, EntryProblem, ExitStatus, Gap, GapReason, Marker, TimedEntry,
    WindowSize, put_entry,
};

fn entry() -> impl Strategy<Value = Entry> {
    let bytes = || proptest::collection::vec(any::<u8>(), 1..300).prop_map(Bytes::from);
    prop_oneof![
        bytes().prop_map(Entry::Output),
        bytes().prop_map(Entry::Input),
        any::<(u16, u16)>().prop_map(|(cols, rows)| Entry::Resize(WindowSize { cols, rows })),
        proptest::sample::select(&Marker::ALL[..]).prop_map(Entry::Marker),
        any::<i32>().prop_map(|code| Entry::Exit(ExitStatus::Code(code))),
        any::<i32>().prop_map(|signal| Entry::Exit(ExitStatus::Signal(signal))),
        (any::<u64>(), proptest::sample::select(&GapReason::ALL[..]))
            .prop_map(|(bytes, reason)| Entry::Gap(Gap { bytes, reason })),
    ]
}

fn entries() -> impl Strategy<Value = Vec<TimedEntry>> {
    let timed = (any::<u64>(), entry()).prop_map(|(delta_micros, entry)| TimedEntry {
        delta_micros,
        entry,
    });
    proptest::collection::vec(timed, 0..12)
}

/// The log, and where each entry in it ends.
fn log(entries: &[TimedEntry]) -> (Bytes, Vec<usize>) {
    let (mut log, mut ends) = (Vec::new(), vec![0]);
    for timed in entries {
        put_entry(&mut log, timed.delta_micros, &timed.entry);
        ends.push(log.len());
    }
    (log.into(), ends)
}

proptest! {
    #[test]
    fn a_log_cut_anywhere_gives_its_whole_entries_and_then_says_that_it_is_cut(entries in entries()) {
        let (log, ends) = log(&entries);
        for cut in 0..=log.len() {
            let mut read = Entries::new(log.slice(..cut));
            let whole = ends.iter().rposition(|end| *end <= cut).unwrap();
            for expected in &entries[..whole] {
                prop_assert_eq!(read.next(), Some(Ok(expected.clone())));
            }
            let cut_off = EntryError { at: ends[whole], problem: EntryProblem::CutOff };
            let expected = (ends[whole] < cut).then_some(Err(cut_off));
            prop_assert_eq!(read.next(), expected);
            prop_assert_eq!(read.next(), None);
        }
    }

    #[test]
    fn bytes_that_are_read_are_the_one_form_of_what_they_say(bytes: Vec<u8>) {
        let bytes = Bytes::from(bytes);
        let mut again = Vec::new();
        for timed in Entries::new(bytes.clone()).map_while(Result::ok) {
            put_entry(&mut again, timed.delta_micros, &timed.entry);
        }
        prop_assert!(bytes.starts_with(&again));
    }
}

#[test]
fn each_kind_has_its_bytes() {
    let mut log = Vec::new();
    let size = WindowSize {
        cols: 80,
        rows: 300,
    };
    let gap = Gap {
        bytes: 258,
        reason: GapReason::Unrecorded,
    };
    for entry in [
        Entry::Output("ok".into()),
        Entry::Resize(size),
        Entry::Marker(Marker::Freeze),
        Entry::Exit(ExitStatus::Code(-1)),
        Entry::Exit(ExitStatus::Signal(9)),
        Entry::Gap(gap),
        Entry::Input("q".into()),
    ] {
        put_entry(&mut log, 300, &entry);
    }
    let expected = [
        &[0xac, 2, 1, 2, b'o', b'k'][..],
        &[0xac, 2, 2, 4, 0, 80, 1, 44],
        &[0xac, 2, 3, 1, 4],
        &[0xac, 2, 4, 5, 0, 255, 255, 255, 255],
        &[0xac, 2, 4, 5, 1, 0, 0, 0, 9],
        &[0xac, 2, 5, 9, 2, 0, 0, 0, 0, 0, 0, 1, 2],
        &[0xac, 2, 6, 1, b'q'],
    ];
    assert_eq!(log, expected.concat());
}

#[test]
fn what_is_no_entry_is_refused_with_its_place_and_fault() {
    let kind = |kind| EntryProblem::Kind(kind);
    let length = |kind, length| EntryProblem::Length { kind, length };
    let word = |kind, value| EntryProblem::Word { kind, value };
    for (bytes, problem) in [
        (&[0x80, 0x00, 1, 1, 0][..], EntryProblem::Number),
        (&[0, 0, 1, 0], kind(0)),
        (&[0, 7, 1, 0], kind(7)),
        (&[0, 1, 0], length(1, 0)),
        (&[0, 6, 0], length(6, 0)),
        (&[0, 2, 3, 0, 0, 0], length(2, 3)),
        (&[0, 3, 1, 0], word(3, 0)),
        (&[0, 3, 1, 7], word(3, 7)),
        (&[0, 4, 5, 2, 0, 0, 0, 0], word(4, 2)),
        (&[0, 5, 9, 4, 0, 0, 0, 0, 0, 0, 0, 0], word(5, 4)),
    ] {
        let found = Entries::new(Bytes::copy_from_slice(bytes)).next().unwrap();
        assert_eq!(found, Err(EntryError { at: 0, problem }), "{bytes:?}");
    }
}
