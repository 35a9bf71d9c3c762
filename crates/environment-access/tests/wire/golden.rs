//! One of each frame, with the bytes that the page reads too.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use environment_access::wire::{
    ClientFrame, CloseCode, Detach, Exit, Hello, Mode, Notice, NoticeCode, Replay, ReplayMark,
    Resume, SUBPROTOCOL, ServerFrame, Welcome, limits,
};
use serde_json::{Value, json};

fn golden_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../frontend/src/terminal/frames.golden.json")
}

const PAGE: &str = "7f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5";

pub(crate) fn hello(resume: Option<Resume>) -> ClientFrame {
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
