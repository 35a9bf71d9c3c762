use bytes::{Bytes, BytesMut};
use carrel_keeper::frames::{
    Exit, MAX_FRAME, MAX_PAYLOAD, Open, Opened, RefusalCode, Refused, Resume, Superseded,
    WindowSize,
};
use carrel_keeper::{ClientFrame, Decoder, Frame, FrameError, KeeperFrame};
use proptest::prelude::*;

fn payload() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn client_frames() -> impl Strategy<Value = ClientFrame> {
    let resume = (any::<u32>(), any::<u64>()).prop_map(|(shell_epoch, out_off)| Resume {
        shell_epoch,
        out_off,
    });
    prop_oneof![
        (
            any::<i64>(),
            any::<u16>(),
            any::<u16>(),
            prop::option::of(resume)
        )
            .prop_map(|(epoch, cols, rows, resume)| ClientFrame::Open(Open {
                epoch,
                cols,
                rows,
                resume
            })),
        (any::<u64>(), payload()).prop_map(|(in_off, bytes)| ClientFrame::Input { in_off, bytes }),
        (any::<u16>(), any::<u16>())
            .prop_map(|(cols, rows)| ClientFrame::Resize(WindowSize { cols, rows })),
        any::<u64>().prop_map(|out_off| ClientFrame::Ack { out_off }),
        any::<u64>().prop_map(|token| ClientFrame::Ping { token }),
    ]
}

fn keeper_frames() -> impl Strategy<Value = KeeperFrame> {
    let opened = (any::<u32>(), any::<[u64; 3]>(), any::<[bool; 2]>());
    prop_oneof![
        opened.prop_map(
            |(shell_epoch, [out_off, in_off, replay_from], [truncated, alive])| {
                let opened = Opened {
                    shell_epoch,
                    out_off,
                    in_off,
                    replay_from,
                    truncated,
                    alive,
                };
                KeeperFrame::Opened(opened)
            }
        ),
        (any::<u64>(), payload()).prop_map(|(off, bytes)| KeeperFrame::Output { off, bytes }),
        any::<u64>().prop_map(|in_off| KeeperFrame::InputAck { in_off }),
        any::<u64>().prop_map(|token| KeeperFrame::Pong { token }),
        (any::<u32>(), any::<Option<i32>>(), any::<Option<i32>>()).prop_map(
            |(shell_epoch, code, signal)| KeeperFrame::Exit(Exit {
                shell_epoch,
                code,
                signal
            })
        ),
        any::<i64>().prop_map(|epoch| KeeperFrame::Superseded(Superseded { epoch })),
        ".{0,40}".prop_map(|message| {
            KeeperFrame::Refused(Refused {
                code: RefusalCode::StaleEpoch,
                message,
            })
        }),
    ]
}

fn decode_cut<F: Frame>(bytes: &[u8], cuts: &[usize]) -> Vec<F> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    let mut rest = bytes;
    for cut in cuts.iter().chain([&usize::MAX]) {
        let (piece, after) = rest.split_at(rest.len().min(*cut));
        rest = after;
        decoder.push(piece);
        while let Some(frame) = decoder.next_frame().unwrap() {
            frames.push(frame);
        }
    }
    assert_eq!(decoder.buffered(), 0);
    frames
}

proptest! {
    #[test]
    fn frames_survive_any_cut(
        client in prop::collection::vec(client_frames(), 1..8),
        keeper in prop::collection::vec(keeper_frames(), 1..8),
        cuts in prop::collection::vec(0usize..50, 0..60),
    ) {
        let mut bytes = BytesMut::new();
        for frame in &client {
            frame.encode(&mut bytes).unwrap();
        }
        prop_assert_eq!(decode_cut::<ClientFrame>(&bytes, &cuts), client);
        bytes.clear();
        for frame in &keeper {
            frame.encode(&mut bytes).unwrap();
        }
        prop_assert_eq!(decode_cut::<KeeperFrame>(&bytes, &cuts), keeper);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut client = Decoder::<ClientFrame>::new();
        client.push(&bytes);
        while let Ok(Some(_)) = client.next_frame() {}
        let mut keeper = Decoder::<KeeperFrame>::new();
        keeper.push(&bytes);
        while let Ok(Some(_)) = keeper.next_frame() {}
    }
}

#[test]
fn every_single_cut_of_a_stream_decodes_to_the_same_frames() {
    let frames = [
        ClientFrame::Input {
            in_off: 3,
            bytes: Bytes::from_static(b"ls\n"),
        },
        ClientFrame::Ping { token: u64::MAX },
    ];
    let mut bytes = BytesMut::new();
    for frame in &frames {
        frame.encode(&mut bytes).unwrap();
    }
    for cut in 0..=bytes.len() {
        assert_eq!(decode_cut::<ClientFrame>(&bytes, &[cut]), frames);
    }
}

#[test]
fn the_bytes_are_those_of_the_contract() {
    let input = ClientFrame::Input {
        in_off: 0x0102,
        bytes: Bytes::from_static(b"x"),
    };
    assert_eq!(
        &input.to_bytes().unwrap()[..],
        b"\0\0\0\x0a\x02\0\0\0\0\0\0\x01\x02x"
    );
    let size = ClientFrame::Resize(WindowSize { cols: 80, rows: 24 });
    assert_eq!(&size.to_bytes().unwrap()[..], b"\0\0\0\x05\x03\0\x50\0\x18");
    let open = Open {
        epoch: 5,
        cols: 80,
        rows: 24,
        resume: None,
    };
    let open = ClientFrame::Open(open).to_bytes().unwrap();
    assert_eq!(
        &open[5..],
        br#"{"epoch":5,"cols":80,"rows":24,"resume":null}"#
    );
    let exit = KeeperFrame::Exit(Exit {
        shell_epoch: 1,
        code: Some(0),
        signal: None,
    });
    let exit = exit.to_bytes().unwrap();
    assert_eq!(exit[4], 0x87);
    assert_eq!(&exit[5..], br#"{"shell_epoch":1,"code":0,"signal":null}"#);
}

#[test]
fn an_oversize_length_is_refused_from_its_four_bytes() {
    let mut decoder = Decoder::<ClientFrame>::new();
    decoder.push(&u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes());
    assert!(matches!(
        decoder.next_frame(),
        Err(FrameError::TooLong { .. })
    ));
    assert!(decoder.buffer_mut().capacity() < 1024);
}

#[test]
fn the_largest_payload_fits_and_more_leaves_the_buffer_unchanged() {
    let mut buffer = BytesMut::new();
    let fits = ClientFrame::Input {
        in_off: 0,
        bytes: vec![0; MAX_PAYLOAD].into(),
    };
    fits.encode(&mut buffer).unwrap();
    let length = buffer.len();
    let above = ClientFrame::Input {
        in_off: 0,
        bytes: vec![0; MAX_PAYLOAD + 8].into(),
    };
    assert!(matches!(
        above.encode(&mut buffer),
        Err(FrameError::TooLong { .. })
    ));
    assert_eq!(buffer.len(), length);
}

#[test]
fn bodies_of_the_wrong_length_and_unknown_types_are_errors() {
    let cases: [&[u8]; 4] = [
        b"\0\0\0\0",
        b"\0\0\0\x01\x77",
        b"\0\0\0\x03\x03\0\x50",
        b"\0\0\0\x02\x01{",
    ];
    for bytes in cases {
        let mut decoder = Decoder::<ClientFrame>::new();
        decoder.push(bytes);
        assert!(decoder.next_frame().is_err(), "{bytes:?}");
    }
}

#[test]
fn a_refusal_of_a_newer_keeper_still_decodes() {
    let json = br#"{"code":"something_new","message":"m"}"#;
    let frame = KeeperFrame::read_body(0x89, Bytes::from_static(json)).unwrap();
    assert!(matches!(frame, KeeperFrame::Refused(r) if r.code == RefusalCode::Other));
}
