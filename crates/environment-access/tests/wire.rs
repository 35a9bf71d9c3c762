//! The frames of `carrel-terminal.v1`: golden bytes, round trips, and every way to be no frame.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use environment_access::wire::{
    ClientFrame, CloseCode, DecodeError, Detach, Exit, Hello, Mode, Notice, NoticeCode, Replay,
    ReplayMark, Resume, SUBPROTOCOL, ServerFrame, Welcome, limits,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn golden_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../frontend/src/terminal/frames.golden.json")
}

const PAGE: &str = "7f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5";

fn hello(resume: Option<Resume>) -> ClientFrame {
    ClientFrame::Hello(Hello {
        page: PAGE.parse().ok(),
        attach: resume.map(|_| 3),
        ticket: "AAECAwQFBgcICQoLDA0ODw".into(),
        columns: 80,
        rows: 24,
        resume,
        capabilities: Vec::new(),
    })
}

fn client_frames() -> Vec<(&'static str, ClientFrame, Value)> {
    let resume = Resume {
        epoch: 2,
        output_offset: 4096,
        input_offset: 17,
    };
    let hello_meaning = |resume: Value, attach: Value| {
        json!({"type": "hello", "ticket": "AAECAwQFBgcICQoLDA0ODw", "cols": 80, "rows": 24,
               "resume": resume, "page": PAGE, "attach": attach, "caps": []})
    };
    vec![
        (
            "hello, fresh",
            hello(None),
            hello_meaning(Value::Null, Value::Null),
        ),
        (
            "hello, resuming",
            hello(Some(resume)),
            hello_meaning(json!({"epoch": 2, "out_off": 4096, "in_off": 17}), json!(3)),
        ),
        (
            "input",
            ClientFrame::Input {
                offset: 0x0102_0304_0506,
                bytes: "ls\r".into(),
            },
            json!({"type": "input", "in_off": 0x0102_0304_0506_u64, "bytes": "6c730d"}),
        ),
        (
            "input, empty",
            ClientFrame::Input {
                offset: 3,
                bytes: Bytes::new(),
            },
            json!({"type": "input", "in_off": 3, "bytes": ""}),
        ),
        (
            "resize",
            ClientFrame::Resize {
                columns: 500,
                rows: 24,
            },
            json!({"type": "resize", "cols": 500, "rows": 24}),
        ),
        (
            "ack",
            ClientFrame::Ack { offset: 32768 },
            json!({"type": "ack", "out_off": 32768}),
        ),
        (
            "ping",
            ClientFrame::Ping { opaque: 7 },
            json!({"type": "ping", "opaque": 7}),
        ),
        (
            "detach, keep",
            ClientFrame::Detach(Detach::Keep),
            json!({"type": "detach", "shell": 0}),
        ),
        (
            "detach, end",
            ClientFrame::Detach(Detach::EndShell),
            json!({"type": "detach", "shell": 1}),
        ),
        (
            "a later version's frame",
            ClientFrame::Ignored { frame_type: 0xC0 },
            json!({"type": "ignored", "frame_type": 0xC0}),
        ),
    ]
}

fn welcome() -> Welcome {
    Welcome {
        epoch: 2,
        attach: 4,
        output_offset: 5000,
        input_offset: 17,
        window: limits::OUTPUT_WINDOW,
        input_window: limits::INPUT_WINDOW,
        max_frame: u32::try_from(limits::MAX_CLIENT_MESSAGE).unwrap(),
        ping_ms: 5000,
        remaining_ms: Some(5_263_000),
        mode: Mode::Interactive,
        replay_from: 4096,
    }
}

fn typed(kind: &str, body: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(body).unwrap();
    value["type"] = json!(kind);
    value
}

fn server_frames() -> Vec<(&'static str, ServerFrame, Value)> {
    let waiting = Welcome {
        remaining_ms: None,
        ..welcome()
    };
    let notice = Notice {
        code: NoticeCode::EndingIn,
        text: "terminal.ending_in".to_owned(),
        args: [("remaining_ms".to_owned(), json!(300_000))].into(),
    };
    let exit = Exit {
        code: Some(0),
        signal: None,
        reason: "shell_exited".to_owned(),
    };
    let killed = Exit {
        code: None,
        signal: Some(9),
        reason: "shell_exited".to_owned(),
    };
    let begin = Replay {
        mark: ReplayMark::Begin,
        from: 4096,
        to: 5000,
        truncated: true,
    };
    let end = Replay {
        mark: ReplayMark::End,
        truncated: false,
        ..begin
    };
    let replay = |mark: u8, truncated: bool| json!({"type": "replay", "mark": mark, "from": 4096, "to": 5000, "truncated": truncated});
    vec![
        (
            "welcome",
            ServerFrame::Welcome(welcome()),
            typed("welcome", &welcome()),
        ),
        (
            "welcome, clock not started",
            ServerFrame::Welcome(waiting.clone()),
            typed("welcome", &waiting),
        ),
        (
            "output",
            ServerFrame::Output {
                bytes: Bytes::from_static(b"\x1b[1m\xc3\xa9"),
            },
            json!({"type": "output", "bytes": "1b5b316dc3a9"}),
        ),
        (
            "replay begins, truncated",
            ServerFrame::Replay(begin),
            replay(0, true),
        ),
        ("replay ends", ServerFrame::Replay(end), replay(1, false)),
        (
            "input_ack",
            ServerFrame::InputAck {
                offset: 20,
                credit: 65536,
            },
            json!({"type": "input_ack", "in_off": 20, "credit": 65536}),
        ),
        (
            "pong",
            ServerFrame::Pong {
                opaque: 7,
                leg_micros: 310,
            },
            json!({"type": "pong", "opaque": 7, "leg_micros": 310}),
        ),
        (
            "notice",
            ServerFrame::Notice(notice.clone()),
            typed("notice", &notice),
        ),
        (
            "exit, code",
            ServerFrame::Exit(exit.clone()),
            typed("exit", &exit),
        ),
        (
            "exit, signal",
            ServerFrame::Exit(killed.clone()),
            typed("exit", &killed),
        ),
        (
            "a later version's frame",
            ServerFrame::Ignored { frame_type: 0xFF },
            json!({"type": "ignored", "frame_type": 0xFF}),
        ),
    ]
}

fn golden() -> Value {
    let entry = |name: &str, bytes: &Bytes, frame: Value| json!({"name": name, "hex": hex::encode(bytes), "frame": frame});
    let client = client_frames();
    let server = server_frames();
    let client: Vec<_> = client
        .into_iter()
        .map(|(n, f, v)| entry(n, &f.encode(), v))
        .collect();
    let server: Vec<_> = server
        .into_iter()
        .map(|(n, f, v)| entry(n, &f.encode(), v))
        .collect();
    let closes = CloseCode::ALL.map(|code| {
        json!({"number": code.number(), "name": code.as_str(), "advice": code.advice().as_str()})
    });
    json!({
        "subprotocol": SUBPROTOCOL,
        "client": client,
        "server": server,
        "close_codes": closes,
        "limits": {
            "hello_deadline_ms": ms(limits::HELLO_DEADLINE),
            "max_hello": limits::MAX_HELLO,
            "max_input": limits::MAX_INPUT,
            "max_output": limits::MAX_OUTPUT,
            "output_window": limits::OUTPUT_WINDOW,
            "input_window": limits::INPUT_WINDOW,
            "ack_every": limits::ACK_EVERY,
            "ack_after_ms": ms(limits::ACK_AFTER),
            "ping_ms": ms(limits::CLIENT_PING_EVERY),
            "max_resizes_per_second": limits::MAX_RESIZES_PER_SECOND,
            "min_cols": limits::COLUMNS.start(),
            "max_cols": limits::COLUMNS.end(),
            "min_rows": limits::ROWS.start(),
            "max_rows": limits::ROWS.end(),
            "first_ignorable_type": limits::FIRST_IGNORABLE_TYPE,
        },
    })
}

fn ms(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

#[test]
fn the_golden_file_the_page_reads_is_equal_to_the_code() {
    let expected = format!("{}\n", serde_json::to_string_pretty(&golden()).unwrap());
    if std::env::var_os("CARREL_UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(golden_path().parent().unwrap()).unwrap();
        std::fs::write(golden_path(), &expected).unwrap();
    }
    let stored = std::fs::read_to_string(golden_path()).unwrap();
    assert!(
        stored == expected,
        "run once with CARREL_UPDATE_GOLDEN=1 and look at the difference"
    );
}

#[test]
fn every_golden_frame_is_read_back_as_it_was_written() {
    for (name, frame, _) in client_frames() {
        let bytes = frame.encode();
        let again = ClientFrame::decode(&bytes).unwrap();
        assert_eq!(again.encode(), bytes, "{name}");
        assert_eq!(
            std::mem::discriminant(&again),
            std::mem::discriminant(&frame),
            "{name}"
        );
    }
    for (name, frame, _) in server_frames() {
        assert_eq!(
            ServerFrame::decode(&frame.encode()).unwrap(),
            frame,
            "{name}"
        );
    }
}

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
