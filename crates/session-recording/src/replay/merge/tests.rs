use bytes::Bytes;
use proptest::prelude::*;
use session_identity::ExamSessionId;

use super::*;
use crate::draft::Draft;
use crate::entry::{GapReason, Marker};
use crate::segment::Segment;

const MISSED: fn(u64) -> Entry = |bytes| {
    Entry::Gap(Gap {
        bytes,
        reason: GapReason::Missed,
    })
};

/// What a writer says, one segment each: shell, offset, and entries with their times.
type Said = (u32, u64, Vec<(i64, Entry)>);

fn segments(session: ExamSessionId, said: &[Said]) -> Vec<(TerminalProcessId, Vec<Segment>)> {
    let writer = TerminalProcessId::generate();
    let segment = |(seq, (shell_epoch, offset, entries)): (usize, &Said)| {
        let place = Place {
            shell_epoch: *shell_epoch,
            offset: *offset,
        };
        let mut draft = Draft::new(place);
        for (at, entry) in entries {
            draft.put(*at, entry);
        }
        let (header, log) = draft.take(session, writer, seq as u64);
        Segment::compress(header, &log).unwrap()
    };
    vec![(writer, said.iter().enumerate().map(segment).collect())]
}

/// Tells the story of several writers.
fn told(writers: &[&[Said]]) -> Vec<Moment> {
    let session = ExamSessionId::generate();
    let writers: Vec<_> = writers
        .iter()
        .flat_map(|said| segments(session, said))
        .collect();
    let mut merge = Merge::new(writers.iter().map(|(writer, _)| *writer));
    let mut moments = Vec::new();
    loop {
        match merge.next() {
            Step::Told(moment) => moments.push(moment),
            Step::Over => return moments,
            Step::Hungry => {
                let strand = merge.hungry().unwrap();
                let (writer, after) = strand.wants();
                let (_, segments) = writers.iter().find(|(name, _)| *name == writer).unwrap();
                let follows = |segment: &&Segment| {
                    after.is_none_or(|after| segment.header.writer_seq > after)
                };
                strand.feed(segments.iter().find(follows)).unwrap();
            }
        }
    }
}

fn entries(writers: &[&[Said]]) -> Vec<(i64, Entry)> {
    let entry = |moment: Moment| match moment.seen {
        Seen::Entry(entry) => (moment.at_micros, entry),
        Seen::Hole(bytes) => panic!("a hole of {bytes} bytes"),
    };
    told(writers).into_iter().map(entry).collect()
}

fn out(text: &'static str) -> Entry {
    Entry::Output(Bytes::from_static(text.as_bytes()))
}

#[test]
fn what_a_successor_asked_for_again_is_told_once_at_its_first_time() {
    let dead: &[Said] = &[(1, 0, vec![(10, out("abc")), (20, out("def"))])];
    let heir: &[Said] = &[(
        1,
        3,
        vec![(90, Entry::Marker(Marker::Resume)), (91, out("defghi"))],
    )];
    let expected = [
        (10, out("abc")),
        (20, out("def")),
        (90, Entry::Marker(Marker::Resume)),
        (91, out("ghi")),
    ];
    assert_eq!(entries(&[dead, heir]), expected);
    assert_eq!(entries(&[heir, dead]), expected);
}

#[test]
fn a_gap_is_told_only_as_far_as_nobody_fills_it() {
    let first: &[Said] = &[(1, 0, vec![(1, out("ab"))]), (1, 4, vec![(3, out("ef"))])];
    let gapped: &[Said] = &[(1, 2, vec![(50, MISSED(6)), (51, out("ij"))])];
    let expected = [
        (1, out("ab")),
        (50, MISSED(2)),
        (50, out("ef")),
        (50, MISSED(2)),
        (51, out("ij")),
    ];
    assert_eq!(entries(&[first, gapped]), expected);
    let filled: &[Said] = &[(1, 0, vec![(1, out("abcdefgh"))])];
    let expected = [(1, out("abcdefgh")), (51, out("ij"))];
    assert_eq!(entries(&[gapped, filled]), expected);
}

#[test]
fn bytes_that_nobody_mentions_are_a_hole() {
    let torn: &[Said] = &[(1, 0, vec![(1, out("ab"))]), (1, 9, vec![(3, out("jk"))])];
    let moments = told(&[torn]);
    let seen: Vec<_> = moments.iter().map(|moment| &moment.seen).collect();
    let (ab, jk) = (Seen::Entry(out("ab")), Seen::Entry(out("jk")));
    assert_eq!(seen, [&ab, &Seen::Hole(7), &jk]);
    let hole = Place {
        shell_epoch: 1,
        offset: 2,
    };
    assert_eq!(moments[1].place, hole);
}

#[test]
fn shells_follow_one_another_whatever_arrived_first() {
    let second: &[Said] = &[(2, 0, vec![(70, out("two"))])];
    let first: &[Said] = &[(1, 0, vec![(60, out("one"))])];
    assert_eq!(
        entries(&[second, first]),
        [(60, out("one")), (70, out("two"))]
    );
}

proptest! {
    /// Pieces of one output by any writers, each with a segment a piece, are that output as long as
    /// one of them has all of it.
    #[test]
    fn overlapping_pieces_are_the_whole(
        output in proptest::collection::vec(any::<u8>(), 1..60),
        writers in proptest::collection::vec((0_usize..60, 1_usize..20, 0_i64..100), 0..6),
        size in 1_usize..20,
        at in 0_i64..100,
    ) {
        let output = Bytes::from(output);
        let writer = |(from, size, at): &(usize, usize, i64)| -> Vec<Said> {
            let from = (*from).min(output.len() - 1);
            let pieces = (from..output.len()).step_by(*size).zip(*at..);
            let gap = (1, 0, vec![(*at, MISSED(from as u64))]);
            let said = pieces.map(|(begin, at)| {
                let bytes = output.slice(begin..(begin + size).min(output.len()));
                (1, begin as u64, vec![(at, Entry::Output(bytes))])
            });
            std::iter::once(gap).filter(|_| from > 0).chain(said).collect()
        };
        let whole = [(0, size, at)];
        let writers: Vec<_> = writers.iter().chain(&whole).map(writer).collect();
        let writers: Vec<&[Said]> = writers.iter().map(Vec::as_slice).collect();
        let told = entries(&writers);
        let bytes = told.iter().map(|(_, entry)| match entry {
            Entry::Output(bytes) => bytes.to_vec(),
            other => panic!("{other:?} although all is there"),
        });
        prop_assert_eq!(bytes.collect::<Vec<_>>().concat(), output);
        prop_assert!(told.is_sorted_by_key(|(at, _)| *at));
    }
}
