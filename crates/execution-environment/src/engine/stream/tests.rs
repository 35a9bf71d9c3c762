use std::path::Path;

use tempfile::tempdir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, UnixListener};

use super::*;

const VERSION: ClientVersion = ClientVersion {
    major_version: 1,
    minor_version: 41,
};
const UPGRADED: &[u8] = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

/// Reads a request and its body, whose end is known to the reader.
async fn asked(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        assert!(socket.read_buf(&mut request).await.unwrap() > 0, "cut");
    }
    String::from_utf8(request).unwrap()
}

/// An engine that answers `answer`, then says back what it is told, until it is told no more.
async fn echo(mut socket: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) -> String {
    let request = asked(&mut socket).await;
    socket.write_all(answer).await.unwrap();
    let mut told = Vec::new();
    socket.read_to_end(&mut told).await.unwrap();
    let length = u32::try_from(told.len()).unwrap().to_be_bytes();
    let frame = [&[1, 0, 0, 0], &length[..], &told].concat();
    socket.write_all(&frame).await.unwrap();
    request
}

/// Types a word into an exec, ends the input, and reads to the end.
async fn typed(address: &EngineAddress) -> Vec<u8> {
    let mut streams = open(address, &VERSION, "e1").await.unwrap();
    streams.writer.write_all(b"typed").await.unwrap();
    streams.writer.shutdown().await.unwrap();
    let mut output = Vec::new();
    streams.reader.read_to_end(&mut output).await.unwrap();
    output
}

fn listen(path: &Path) -> (EngineAddress, UnixListener) {
    let address = EngineAddress::File(path.to_owned());
    (address, UnixListener::bind(path).unwrap())
}

#[tokio::test]
async fn both_directions_pass_and_end_apart_over_a_file_and_over_tcp() {
    let folder = tempdir().unwrap();
    let (address, files) = listen(&folder.path().join("engine.sock"));
    // The first output may arrive with the answer.
    let answer = [UPGRADED, &[1, 0, 0, 0, 0, 0, 0, 6], b"early "].concat();
    let again = answer.clone();
    let engine = tokio::spawn(async move { echo(files.accept().await.unwrap().0, &answer).await });
    assert_eq!(typed(&address).await, b"early typed");
    let request = engine.await.unwrap();
    assert!(request.starts_with("POST /v1.41/exec/e1/start HTTP/1.1\r\n"));

    let sockets = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = sockets.local_addr().unwrap().to_string();
    let engine = tokio::spawn(async move { echo(sockets.accept().await.unwrap().0, &again).await });
    assert_eq!(
        typed(&EngineAddress::Host(host.clone())).await,
        b"early typed"
    );
    let request = engine.await.unwrap().to_lowercase();
    assert!(request.contains(&format!("host: {host}\r\n")), "{request}");
}

#[tokio::test]
async fn a_refusal_keeps_the_engines_words_and_its_status() {
    let folder = tempdir().unwrap();
    let (address, engine) = listen(&folder.path().join("engine.sock"));
    let refusals = [
        (
            409,
            r#"{"message":"container e1 is paused"}"#,
            "container e1 is paused",
        ),
        (500, "no words of JSON", "no words of JSON"),
        (200, "", ""),
    ];
    for (status, body, words) in refusals {
        let opened = open(&address, &VERSION, "e1");
        let answer = async {
            let (mut socket, _) = engine.accept().await.unwrap();
            asked(&mut socket).await;
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket
        };
        let (opened, _socket) = tokio::join!(opened, answer);
        match opened.unwrap_err() {
            Error::DockerResponseServerError {
                status_code,
                message,
            } => assert_eq!((status_code, message.as_str()), (status, words)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_engine_that_is_away_or_goes_is_an_error() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    let nowhere = EngineAddress::File(path.clone());
    assert!(open(&nowhere, &VERSION, "e1").await.is_err());
    let (address, engine) = listen(&path);
    let gone = async { drop(engine.accept().await.unwrap()) };
    let (opened, ()) = tokio::join!(open(&address, &VERSION, "e1"), gone);
    assert!(opened.is_err());
}

#[tokio::test]
async fn a_stream_that_is_cut_within_a_frame_is_no_end() {
    let folder = tempdir().unwrap();
    let (address, engine) = listen(&folder.path().join("engine.sock"));
    let cut = async {
        let (mut socket, _) = engine.accept().await.unwrap();
        asked(&mut socket).await;
        let answer = [UPGRADED, &[1, 0, 0, 0, 0, 0, 0, 9], b"half"].concat();
        socket.write_all(&answer).await.unwrap();
    };
    let (opened, ()) = tokio::join!(open(&address, &VERSION, "e1"), cut);
    let mut output = Vec::new();
    let ended = opened.unwrap().reader.read_to_end(&mut output).await;
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert_eq!(output, b"half");
}
