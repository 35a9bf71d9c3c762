//! The frames of `carrel-terminal.v1`: golden bytes, round trips, and every way to be no frame.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod golden;

use bytes::Bytes;
use environment_access::wire::{
    ClientFrame, CloseCode, DecodeError, Detach, Replay, ReplayMark, ServerFrame, limits,
};
use proptest::prelude::*;

use golden::hello;

#[test]
fn the_bytes_of_fixed_frames_are_these() {
    let input = ClientFrame::Input {
        offset: 1,
        bytes: "a".into(),
    };
    assert_eq!(input.encode().as_ref(), b"\x02\0\0\0\0\0\0\0\x01a");
    let resize = ClientFrame::Resize {
        columns: 80,
        rows: 24,
    };
    assert_eq!(resize.encode().as_ref(), b"\x03\0\x50\0\x18");
    let ack = ServerFrame::InputAck {
        offset: 256,
        credit: 65536,
    };
    assert_eq!(ack.encode().as_ref(), b"\x84\0\0\0\0\0\0\x01\0\0\x01\0\0");
    let replay = Replay {
        mark: ReplayMark::End,
        from: 1,
        to: 2,
        truncated: true,
    };
    assert_eq!(
        ServerFrame::Replay(replay).encode().as_ref(),
        b"\x83\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\x01"
    );
}

#[test]
fn fixed_frames_cut_at_any_byte_or_lengthened_are_no_frames() {
    let fixed = [
        ClientFrame::Resize {
            columns: 80,
            rows: 24,
        },
        ClientFrame::Ack { offset: 1 },
        ClientFrame::Ping { opaque: 1 },
        ClientFrame::Detach(Detach::Keep),
    ];
    for frame in fixed {
        let bytes = frame.encode();
        for cut in 0..bytes.len() {
            assert!(
                ClientFrame::decode(&bytes.slice(..cut)).is_err(),
                "{frame:?} cut at {cut}"
            );
        }
        let longer = Bytes::from([bytes.as_ref(), b"\0"].concat());
        let error = ClientFrame::decode(&longer).unwrap_err();
        assert!(
            matches!(error, DecodeError::WrongLength { .. }),
            "{frame:?}: {error}"
        );
    }
}

#[test]
fn an_input_frame_cut_before_its_bytes_begin_is_no_frame() {
    let bytes = ClientFrame::Input {
        offset: 9,
        bytes: "abc".into(),
    }
    .encode();
    for cut in 0..=bytes.len() {
        let read = ClientFrame::decode(&bytes.slice(..cut));
        assert_eq!(read.is_ok(), cut >= 9, "cut at {cut}");
    }
}

#[test]
fn what_is_out_of_range_is_refused_with_the_right_close_code() {
    let resize = |columns: u16, rows: u16| ClientFrame::Resize { columns, rows }.encode();
    let long_input = ClientFrame::Input {
        offset: 0,
        bytes: vec![b'x'; limits::MAX_INPUT + 1].into(),
    };
    let endless = ClientFrame::Input {
        offset: u64::MAX,
        bytes: "x".into(),
    };
    let mut long_hello = b"\x01{\"ticket\":\"".to_vec();
    long_hello.resize(limits::MAX_HELLO + 1, b'x');
    let table = [
        (Bytes::new(), CloseCode::Protocol),
        (Bytes::from_static(b"\x00"), CloseCode::Protocol),
        (Bytes::from_static(b"\x07"), CloseCode::Protocol),
        (Bytes::from_static(b"\x81"), CloseCode::Protocol),
        (Bytes::from_static(b"\xBF"), CloseCode::Protocol),
        (Bytes::from_static(b"\x06\x02"), CloseCode::Protocol),
        (resize(1, 24), CloseCode::Protocol),
        (resize(501, 24), CloseCode::Protocol),
        (resize(80, 0), CloseCode::Protocol),
        (resize(80, 301), CloseCode::Protocol),
        (endless.encode(), CloseCode::Protocol),
        (long_input.encode(), CloseCode::TooBig),
        (long_hello.into(), CloseCode::TooBig),
        (Bytes::from_static(b"\x01{}"), CloseCode::Protocol),
        (
            Bytes::from_static(b"\x01{\"ticket\":\"t\",\"cols\":0,\"rows\":24}"),
            CloseCode::Protocol,
        ),
    ];
    for (message, expected) in table {
        let error = ClientFrame::decode(&message).unwrap_err();
        assert_eq!(error.close_code(), expected, "{error}");
    }
}

#[test]
fn a_hello_that_does_not_fit_never_quotes_its_ticket() {
    let canary = "c4n4ry";
    let message = Bytes::from(format!("\x01{{\"ticket\":[\"{canary}\"],\"cols\":80}}"));
    let error = ClientFrame::decode(&message).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(canary));
    let shown = format!("{:?}", hello(None));
    assert!(!shown.contains("AAECAwQ"), "{shown}");
}

#[test]
fn a_hello_may_carry_what_later_versions_add() {
    let message =
        b"\x01{\"ticket\":\"t\",\"cols\":80,\"rows\":24,\"later\":1,\"caps\":[\"later\"]}";
    let frame = ClientFrame::decode(&Bytes::from_static(message)).unwrap();
    assert!(matches!(frame, ClientFrame::Hello(hello) if hello.resume.is_none()));
}

#[test]
fn a_hello_of_an_older_page_takes_the_terminal_over() {
    let message = b"\x01{\"ticket\":\"t\",\"cols\":80,\"rows\":24,\"resume\":null,\"caps\":[]}";
    let frame = ClientFrame::decode(&Bytes::from_static(message)).unwrap();
    assert!(
        matches!(frame, ClientFrame::Hello(hello) if hello.page.is_none() && hello.attach.is_none())
    );
}

#[test]
fn close_codes_are_distinct_and_never_reserved() {
    for (index, code) in CloseCode::ALL.into_iter().enumerate() {
        assert_eq!(CloseCode::from_number(code.number()), Some(code));
        assert!(![1005, 1006, 1015].contains(&code.number()));
        let next = CloseCode::ALL.get(index + 1);
        assert!(
            next.is_none_or(|next| next.number() > code.number()),
            "{code:?}"
        );
        assert!(code.as_str().len() <= 123);
    }
    assert_eq!(CloseCode::from_number(1006), None);
}

#[test]
fn a_close_that_is_worth_a_pause_says_how_long_in_the_way_the_page_reads() {
    let paused = CloseCode::ALL.into_iter().filter_map(|code| {
        let reason = code.reason();
        let pause = reason.strip_prefix(code.as_str())?.to_owned();
        (!pause.is_empty()).then_some((code.number(), pause))
    });
    let expected = [
        (1011, " retry_after=1"),
        (1012, " retry_after=1"),
        (1013, " retry_after=2"),
    ];
    let expected = expected.map(|(number, pause)| (number, pause.to_owned()));
    assert_eq!(paused.collect::<Vec<_>>(), expected);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic_and_writing_them_back_is_stable(
        message in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let message = Bytes::from(message);
        if let Ok(frame) = ClientFrame::decode(&message) {
            let written = frame.encode();
            prop_assert_eq!(ClientFrame::decode(&written).unwrap().encode(), written);
        }
        if let Ok(frame) = ServerFrame::decode(&message) {
            prop_assert_eq!(ServerFrame::decode(&frame.encode()).unwrap(), frame);
        }
    }

    #[test]
    fn every_prefix_of_every_frame_is_read_without_panic(
        offset in any::<u64>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        cut in 0_usize..320,
    ) {
        let frame = ClientFrame::Input { offset, bytes: bytes.into() }.encode();
        let cut = cut.min(frame.len());
        match ClientFrame::decode(&frame.slice(..cut)) {
            Ok(ClientFrame::Input { offset: read, bytes }) => {
                prop_assert_eq!(read, offset);
                prop_assert_eq!(bytes, frame.slice(9..cut));
            }
            Ok(other) => prop_assert!(false, "{:?}", other),
            Err(_) => prop_assert!(cut < 9 || offset.checked_add((cut - 9) as u64).is_none()),
        }
    }

    #[test]
    fn input_survives_the_wire(offset in 0..u64::MAX / 2, bytes in proptest::collection::vec(any::<u8>(), 0..=2048)) {
        let frame = ClientFrame::Input { offset, bytes: bytes.clone().into() };
        match ClientFrame::decode(&frame.encode()).unwrap() {
            ClientFrame::Input { offset: read, bytes: read_bytes } => {
                prop_assert_eq!(read, offset);
                prop_assert_eq!(read_bytes.as_ref(), bytes.as_slice());
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
