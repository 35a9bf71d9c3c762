//! The frames of an exec without a terminal: eight bytes say whose the piece is and how long.
//!
//! Byte 0 is the stream (0 input, 1 output, 2 errors), 1 to 3 are zero, 4 to 7 the length, its most
//! significant byte first (Docker Engine API, "Attach to a container", stream format).

const HEADER: usize = 8;

/// Says why what an engine sends is no such stream.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StreamFault {
    /// The first byte of a frame names none of the three streams.
    #[error("the engine's stream has a frame of stream {0}; 0 to 2 are known")]
    UnknownStream(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Output,
    Errors,
    /// An engine echoes no input; what it did of it would be for nobody.
    Input,
}

/// Takes frames apart, wherever they are cut.
#[derive(Debug, Default)]
pub(super) struct FrameDecoder {
    header: [u8; HEADER],
    /// How much of `header` is there.
    known: usize,
    /// Whose piece is under way and how much of it is still to come; none between frames.
    piece: Option<(Stream, usize)>,
    errors: usize,
}

impl FrameDecoder {
    /// Takes in what was read and leaves standard output at its front; returns how much that is.
    pub(super) fn decode(&mut self, input: &mut [u8]) -> Result<usize, StreamFault> {
        let (mut read, mut output) = (0, 0);
        while read < input.len() {
            let Some((stream, left)) = self.piece else {
                read += self.read_header(&input[read..])?;
                continue;
            };
            let length = left.min(input.len() - read);
            match stream {
                Stream::Output => {
                    input.copy_within(read..read + length, output);
                    output += length;
                }
                Stream::Errors => self.errors += length,
                Stream::Input => {}
            }
            read += length;
            self.piece = (left > length).then_some((stream, left - length));
        }
        Ok(output)
    }

    /// Whether the stream may end here.
    pub(super) const fn is_between_frames(&self) -> bool {
        self.known == 0 && self.piece.is_none()
    }

    /// How much was written to standard error since this was asked last.
    pub(super) const fn take_errors(&mut self) -> usize {
        std::mem::replace(&mut self.errors, 0)
    }

    /// Takes what `input` has of a header; returns how much that is.
    fn read_header(&mut self, input: &[u8]) -> Result<usize, StreamFault> {
        let count = input.len().min(HEADER - self.known);
        self.header[self.known..self.known + count].copy_from_slice(&input[..count]);
        self.known += count;
        if self.known == HEADER {
            self.known = 0;
            let [stream, _, _, _, length @ ..] = self.header;
            let stream = match stream {
                0 => Stream::Input,
                1 => Stream::Output,
                2 => Stream::Errors,
                other => return Err(StreamFault::UnknownStream(other)),
            };
            let length = u32::from_be_bytes(length) as usize;
            self.piece = (length > 0).then_some((stream, length));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn frame(stream: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], bytes].concat()
    }

    #[test]
    fn standard_output_is_left_and_errors_are_counted() {
        let frames = [
            frame(1, b"one"),
            frame(2, b"noise"),
            frame(1, b""),
            frame(0, b"typed"),
            frame(1, b" two"),
        ];
        let mut input = frames.concat();
        let mut decoder = FrameDecoder::default();
        let count = decoder.decode(&mut input).unwrap();
        assert_eq!(&input[..count], b"one two");
        assert_eq!((decoder.take_errors(), decoder.take_errors()), (5, 0));
        assert!(decoder.is_between_frames());
    }

    #[test]
    fn a_stream_that_nobody_knows_is_refused() {
        for stream in 3..=u8::MAX {
            let found = FrameDecoder::default().decode(&mut frame(stream, b"x"));
            assert_eq!(found, Err(StreamFault::UnknownStream(stream)));
        }
    }

    #[test]
    fn an_end_within_a_frame_is_seen() {
        let whole = frame(1, b"output");
        for cut in 1..whole.len() {
            let mut decoder = FrameDecoder::default();
            decoder.decode(&mut whole[..cut].to_vec()).unwrap();
            assert!(!decoder.is_between_frames(), "after {cut}");
        }
    }

    proptest! {
        #[test]
        fn output_passes_wherever_the_frames_are_cut(
            pieces in vec((0..3_u8, vec(any::<u8>(), 0..40)), 0..20),
            cuts in vec(1..50_usize, 1..10),
        ) {
            let output = pieces.iter().filter(|(stream, _)| *stream == 1);
            let output: Vec<u8> = output.flat_map(|(_, bytes)| bytes.clone()).collect();
            let frames = pieces.iter().map(|(stream, bytes)| frame(*stream, bytes));
            let frames: Vec<u8> = frames.flatten().collect();
            let (mut decoder, mut found, mut rest) = (FrameDecoder::default(), Vec::new(), &frames[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, more) = rest.split_at(rest.len().min(*cut));
                let mut part = part.to_vec();
                let count = decoder.decode(&mut part).unwrap();
                found.extend_from_slice(&part[..count]);
                rest = more;
            }
            prop_assert_eq!(found, output);
            prop_assert!(decoder.is_between_frames());
        }
    }
}
