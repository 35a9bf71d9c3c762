use bytes::Bytes;
use proptest::prelude::*;
use session_identity::{ExamSessionId, TerminalProcessId};

use super::*;
use crate::draft::Draft;
use crate::place::Place;
use crate::replay::{Merge, Step};
use crate::segment::Segment;

/// Records pieces of output as one writer, a segment each so many pieces, and exports them.
fn recorded(pieces: &[Vec<u8>], each: usize, format: ExportFormat) -> Vec<u8> {
    let (session, writer) = (ExamSessionId::generate(), TerminalProcessId::generate());
    let mut draft = Draft::new(Place {
        shell_epoch: 1,
        offset: 0,
    });
    let mut segments = Vec::new();
    for (at, few) in (0_i64..).zip(pieces.chunks(each)) {
        for piece in few {
            draft.put_bytes(at, Bytes::copy_from_slice(piece), Entry::Output);
        }
        if !draft.is_empty() {
            let (header, log) = draft.take(session, writer, segments.len() as u64);
            segments.push(Segment::compress(header, &log).unwrap());
        }
    }
    let mut merge = Merge::new(std::iter::once(writer));
    let mut segments = segments.iter();
    let (mut exporter, mut bytes) = (Writer::new(format), Vec::new());
    loop {
        match merge.next() {
            Step::Told(moment) => exporter.moment(&moment, &mut bytes).unwrap(),
            Step::Hungry => merge.hungry().unwrap().feed(segments.next()).unwrap(),
            Step::Over => break,
        }
    }
    exporter.end(&mut bytes).unwrap();
    bytes
}

/// All text of an asciicast's output events.
fn text(asciicast: &[u8]) -> String {
    let lines = std::str::from_utf8(asciicast).unwrap().lines().skip(1);
    let events = lines.map(|line| serde_json::from_str(line).unwrap());
    let data = |event: (f64, String, String)| (event.1 == "o").then_some(event.2);
    events.filter_map(data).collect()
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_come_back_exactly_and_as_the_text_they_are(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..30),
        each in 1_usize..6,
    ) {
        let whole = pieces.concat();
        prop_assert_eq!(&recorded(&pieces, each, ExportFormat::Raw), &whole);
        for format in [ExportFormat::AsciicastV3, ExportFormat::AsciicastV2] {
            let asciicast = recorded(&pieces, each, format);
            prop_assert_eq!(text(&asciicast), String::from_utf8_lossy(&whole));
        }
    }
}
