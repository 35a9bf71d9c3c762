use proptest::collection::vec;
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;

/// Everything that a server says, in one order; what is told of it does not depend on how it was
/// cut into reads.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    output: Vec<u8>,
    stderr: Vec<u8>,
    status: Option<Vec<u8>>,
    ping: Option<Vec<u8>>,
    closed: bool,
}

fn decode(decoder: &mut ChannelDecoder, pieces: &[&[u8]]) -> Told {
    let mut output = Vec::new();
    for piece in pieces {
        let mut read = piece.to_vec();
        let count = decoder.decode(&mut read).expect("the frames are sound");
        output.extend_from_slice(&read[..count]);
    }
    Told {
        output,
        stderr: decoder.stderr().to_vec(),
        status: decoder.status().map(<[u8]>::to_vec),
        ping: decoder.take_ping().map(|ping| ping.bytes().to_vec()),
        closed: decoder.is_closed(),
    }
}

fn bytes_of(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.format(&mut bytes).expect("a vector takes everything");
    bytes
}

fn part(data: Data, last: bool, payload: &[u8]) -> Vec<u8> {
    bytes_of(Frame::message(payload.to_vec(), OpCode::Data(data), last))
}

fn whole(payload: &[u8]) -> Vec<u8> {
    part(Data::Binary, true, payload)
}

fn conversation() -> Vec<u8> {
    let long = [&[STDOUT][..], &[b'x'; 300]].concat();
    let parts = [
        whole(&[STDOUT]),
        whole(b"\x01first "),
        part(Data::Binary, false, b"\x01frag"),
        bytes_of(Frame::ping("alive?")),
        part(Data::Continue, false, b""),
        part(Data::Continue, true, b"ments "),
        whole(b"\x02oh no"),
        // Empty, of a channel that we only write, of one that nobody knows, and a closing.
        whole(b""),
        whole(b"\x00echo?"),
        whole(b"\x09new"),
        whole(&[CLOSE, STDOUT]),
        whole(&long),
        bytes_of(Frame::pong("")),
        whole(b"\x03{\"status\":\"Success\"}"),
        bytes_of(Frame::close(None)),
        b"after the end".to_vec(),
    ];
    parts.concat()
}

fn expected() -> Told {
    Told {
        output: [&b"first fragments "[..], &[b'x'; 300]].concat(),
        stderr: b"oh no".to_vec(),
        status: Some(b"{\"status\":\"Success\"}".to_vec()),
        ping: Some(b"alive?".to_vec()),
        closed: true,
    }
}

#[test]
fn a_conversation_is_read_alike_wherever_it_is_cut() {
    let bytes = conversation();
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        let told = decode(&mut ChannelDecoder::default(), &[first, second]);
        assert_eq!(told, expected(), "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&mut ChannelDecoder::default(), &single), expected());
}

#[test]
fn what_a_failing_command_says_is_kept_from_its_end_and_in_bounds() {
    let mut decoder = ChannelDecoder::default();
    for line in 0..1000 {
        let bytes = whole(format!("\x02line {line}\n").as_bytes());
        decode(&mut decoder, &[&bytes]);
    }
    let tail = String::from_utf8(decoder.stderr().to_vec()).unwrap();
    assert!(tail.ends_with("line 998\nline 999\n") && tail.len() == STDERR_TAIL);
    let flood = whole(&[&[STDERR][..], &vec![b'y'; 60_000]].concat());
    decode(&mut decoder, &[&flood]);
    assert_eq!(decoder.stderr(), [b'y'; STDERR_TAIL]);
}

#[test]
fn a_status_that_never_ends_takes_bounded_memory() {
    let mut decoder = ChannelDecoder::default();
    let begin = part(Data::Binary, false, &[STATUS]);
    decode(&mut decoder, &[&begin]);
    for _ in 0..100 {
        let more = part(Data::Continue, false, &[b' '; 10_000]);
        decode(&mut decoder, &[&more]);
    }
    assert_eq!((decoder.status(), decoder.status.len()), (None, MAX_STATUS));
}

#[test]
fn the_greeting_of_an_exec_without_output_is_no_status() {
    let told = decode(&mut ChannelDecoder::default(), &[&whole(&[STATUS])]);
    assert_eq!(told.status, None);
}

#[test]
fn each_protocol_ends_input_in_its_way() {
    let ended = |protocol: Protocol| {
        let mut out = BytesMut::new();
        protocol.end_input(&mut out, [9, 8, 7, 6]);
        messages(&out)
    };
    assert_eq!(ended(Protocol::V5), [Message::binary(vec![CLOSE, STDIN])]);
    assert!(matches!(ended(Protocol::V4)[..], [Message::Close(Some(_))]));
}

/// What a server that others wrote understands.
fn messages(bytes: &[u8]) -> Vec<Message> {
    let stream = std::io::Cursor::new(bytes.to_vec());
    let mut server = WebSocket::from_raw_socket(stream, Role::Server, None);
    let mut messages = Vec::new();
    loop {
        match server.read() {
            Ok(message) => messages.push(message),
            Err(Error::Protocol(_) | Error::ConnectionClosed) => return messages,
            Err(error) => panic!("{error}"),
        }
    }
}

#[derive(Clone, Debug)]
enum Said {
    Message {
        channel: u8,
        payload: Vec<u8>,
        cuts: usize,
    },
    Ping(Vec<u8>),
}

fn said() -> impl Strategy<Value = Said> {
    let message = (0..=4_u8, vec(any::<u8>(), 0..700), 0..4_usize);
    prop_oneof![
        6 => message.prop_map(|(channel, payload, cuts)| Said::Message { channel, payload, cuts }),
        1 => vec(any::<u8>(), 0..=125).prop_map(Said::Ping),
    ]
}

/// The frames of something said, with a PING between the frames of a message.
fn frames(said: &Said) -> Vec<u8> {
    match said {
        Said::Ping(payload) => bytes_of(Frame::ping(payload.clone())),
        Said::Message {
            channel,
            payload,
            cuts,
        } => {
            let message = [&[*channel][..], payload].concat();
            let size = message.len().div_ceil(cuts + 1);
            let chunks: Vec<_> = message.chunks(size).collect();
            let mut bytes = Vec::new();
            for (index, chunk) in chunks.iter().enumerate() {
                let data = if index == 0 {
                    Data::Binary
                } else {
                    Data::Continue
                };
                let last = index + 1 == chunks.len();
                bytes.extend(part(data, last, chunk));
            }
            bytes
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_said_arrives_however_it_is_cut(
        conversation in vec(said(), 0..12),
        sizes in vec(1..400_usize, 1..20),
    ) {
        let bytes: Vec<u8> = conversation.iter().flat_map(frames).collect();
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let told = decode(&mut ChannelDecoder::default(), &pieces);
        let output: Vec<u8> = conversation
            .iter()
            .filter_map(|said| match said {
                Said::Message { channel: STDOUT, payload, .. } => Some(payload.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        prop_assert_eq!(told.output, output);
    }

    #[test]
    fn no_bytes_make_it_panic_or_give_more_than_it_got(pieces in vec(vec(any::<u8>(), 0..64), 0..40)) {
        let mut decoder = ChannelDecoder::default();
        for mut piece in pieces {
            let length = piece.len();
            match decoder.decode(&mut piece) {
                Ok(count) => prop_assert!(count <= length),
                Err(_) => return Ok(()),
            }
        }
    }

    #[test]
    fn another_server_reads_what_is_put(inputs in vec(vec(any::<u8>(), 0..70), 0..10), long in 100..16_384_usize) {
        let mut out = BytesMut::new();
        let mut expected = Vec::new();
        for bytes in inputs.iter().chain([&vec![7; long]]) {
            put_input(&mut out, rand::random(), bytes);
            expected.push(Message::binary([&[STDIN][..], bytes].concat()));
        }
        websocket::ping(&mut out, rand::random());
        expected.push(Message::Ping(bytes::Bytes::new()));
        websocket::pong(&mut out, rand::random(), b"same");
        expected.push(Message::Pong("same".into()));
        prop_assert_eq!(messages(&out), expected);
    }
}
