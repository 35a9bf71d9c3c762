use bytes::Bytes;
use carrel_keeper::frames::{Exit, Opened};
use carrel_keeper::{Decoder, Frame as _, KeeperFrame};
use environment_access::wire::CloseCode;
use failure_classification::Signal;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex, split};

use super::*;

struct Keeper {
    stream: DuplexStream,
    decoder: Decoder<ClientFrame>,
}

impl Keeper {
    async fn say(&mut self, frame: KeeperFrame) {
        self.stream
            .write_all(&frame.to_bytes().unwrap())
            .await
            .unwrap();
    }

    async fn hear(&mut self) -> Option<ClientFrame> {
        loop {
            match self.decoder.next_frame().unwrap() {
                Some(ClientFrame::Ping { .. }) => continue,
                Some(frame) => return Some(frame),
                None => {}
            }
            if self
                .stream
                .read_buf(self.decoder.buffer_mut())
                .await
                .unwrap()
                == 0
            {
                return None;
            }
        }
    }
}

struct Bench {
    keeper: Keeper,
    commands: mpsc::Sender<LegCommand>,
    events: mpsc::Receiver<LegEvent>,
    gate: std::sync::Arc<Gate>,
    end: tokio::task::JoinHandle<LegEnd>,
}

fn bench(events_room: usize) -> Bench {
    bench_that(events_room, OnceShut::Ends)
}

fn bench_that(events_room: usize, once_shut: OnceShut) -> Bench {
    let (ours, theirs) = duplex(64 * 1024);
    let (reader, writer) = split(ours);
    let reader: Box<dyn AsyncRead + Send + Unpin> = Box::new(reader);
    let streams = AttachStreams {
        reader,
        writer: Box::new(writer),
    };
    let (commands, received) = mpsc::channel(8);
    let (told, events) = mpsc::channel(events_room);
    let gate = std::sync::Arc::new(Gate::new(
        std::time::Instant::now() + Duration::from_mins(1),
    ));
    let shared = gate.clone();
    let end = tokio::spawn(async move { run(streams, received, &told, &shared, once_shut).await });
    let keeper = Keeper {
        stream: theirs,
        decoder: Decoder::new(),
    };
    Bench {
        keeper,
        commands,
        events,
        gate,
        end,
    }
}

fn input(bytes: &'static [u8]) -> LegCommand {
    LegCommand::Input {
        offset: 0,
        bytes: Bytes::from_static(bytes),
    }
}

#[tokio::test]
async fn frames_pass_both_ways_in_order() {
    let mut bench = bench(8);
    let opened = Opened {
        shell_epoch: 1,
        out_off: 0,
        in_off: 0,
        replay_from: 0,
        truncated: false,
        alive: true,
    };
    bench.keeper.say(KeeperFrame::Opened(opened)).await;
    bench
        .keeper
        .say(KeeperFrame::Output {
            off: 0,
            bytes: "hi".into(),
        })
        .await;
    bench.keeper.say(KeeperFrame::InputAck { in_off: 3 }).await;
    assert!(matches!(
        bench.events.recv().await,
        Some(LegEvent::Opened(_))
    ));
    assert!(matches!(
        bench.events.recv().await,
        Some(LegEvent::Output { offset: 0, .. })
    ));
    assert!(matches!(
        bench.events.recv().await,
        Some(LegEvent::InputAck(3))
    ));
    bench.commands.send(input(b"ls\r")).await.unwrap();
    bench.commands.send(LegCommand::Ack(2)).await.unwrap();
    let typed = ClientFrame::Input {
        in_off: 0,
        bytes: Bytes::from_static(b"ls\r"),
    };
    assert_eq!(bench.keeper.hear().await, Some(typed));
    assert_eq!(
        bench.keeper.hear().await,
        Some(ClientFrame::Ack { out_off: 2 })
    );
    bench
        .keeper
        .say(KeeperFrame::Exit(Exit {
            shell_epoch: 1,
            code: Some(0),
            signal: None,
        }))
        .await;
    assert!(matches!(bench.end.await.unwrap(), LegEnd::Exit(_)));
}

#[tokio::test]
async fn output_that_nobody_takes_does_not_keep_an_interrupt_from_the_shell() {
    let mut bench = bench(1);
    for index in 0..16 {
        let bytes = Bytes::from(vec![b'x'; 1024]);
        bench
            .keeper
            .say(KeeperFrame::Output {
                off: index * 1024,
                bytes,
            })
            .await;
    }
    bench.commands.send(input(b"\x03")).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_mins(1), bench.keeper.hear()).await;
    assert!(matches!(heard.unwrap(), Some(ClientFrame::Input { .. })));
}

#[tokio::test]
async fn behind_a_shut_gate_nothing_is_written_and_the_stream_ends() {
    let mut bench = bench(8);
    bench.commands.send(LegCommand::Ack(0)).await.unwrap();
    bench.keeper.hear().await.unwrap();
    bench.gate.shut(CloseCode::SessionEnded);
    bench.commands.send(input(b"rm -r work\r")).await.ok();
    assert!(matches!(bench.end.await.unwrap(), LegEnd::Cut));
    assert_eq!(bench.keeper.hear().await, None);
}

#[tokio::test]
async fn behind_a_shut_gate_a_recorded_stream_is_read_to_its_exit_and_takes_acknowledgements_alone()
{
    let mut bench = bench_that(8, OnceShut::ReadsOn);
    bench.commands.send(LegCommand::Ack(0)).await.unwrap();
    bench.keeper.hear().await.unwrap();
    bench.gate.shut(CloseCode::SessionEnded);
    let size = crate::screen_size::ScreenSize {
        columns: 9,
        rows: 9,
    };
    for late in [input(b"rm -r work\r"), LegCommand::Resize(size)] {
        bench.commands.send(late).await.unwrap();
    }
    bench.commands.send(LegCommand::Ack(7)).await.unwrap();
    assert_eq!(
        bench.keeper.hear().await,
        Some(ClientFrame::Ack { out_off: 7 })
    );
    let off = 7;
    let bytes = Bytes::from_static(b"hangup\r\n");
    bench.keeper.say(KeeperFrame::Output { off, bytes }).await;
    let event = bench.events.recv().await;
    assert!(matches!(event, Some(LegEvent::Output { offset: 7, .. })));
    let exit = Exit {
        shell_epoch: 1,
        code: None,
        signal: Some(1),
    };
    bench.keeper.say(KeeperFrame::Exit(exit)).await;
    assert!(matches!(bench.end.await.unwrap(), LegEnd::Exit(_)));
}

/// A stream whose far side takes nothing.
fn stuck() -> (AttachStreams, DuplexStream) {
    let (ours, theirs) = duplex(1);
    let (reader, writer) = split(ours);
    let streams = AttachStreams {
        reader: Box::new(reader),
        writer: Box::new(writer),
    };
    (streams, theirs)
}

#[tokio::test]
async fn a_recorded_stream_on_whose_way_typed_bytes_are_ends_with_the_gate_all_the_same() {
    let (streams, _stuck) = stuck();
    let (commands, received) = mpsc::channel(8);
    let (told, _events) = mpsc::channel(8);
    let gate = std::sync::Arc::new(Gate::new(
        std::time::Instant::now() + Duration::from_mins(1),
    ));
    let shared = gate.clone();
    let reads_on = OnceShut::ReadsOn;
    let end = tokio::spawn(async move { run(streams, received, &told, &shared, reads_on).await });
    commands.send(input(b"rm -r work\r")).await.unwrap();
    // Taken, and with no room to go: all of the channel is free again.
    while commands.capacity() < commands.max_capacity() {
        tokio::task::yield_now().await;
    }
    gate.shut(CloseCode::SessionEnded);
    assert!(matches!(end.await.unwrap(), LegEnd::Cut));
}

#[tokio::test]
async fn a_recorded_stream_that_takes_nothing_is_read_on_when_nothing_typed_is_on_its_way() {
    let (streams, mut stuck) = stuck();
    let (commands, received) = mpsc::channel(8);
    let (told, _events) = mpsc::channel(8);
    let gate = Gate::new(std::time::Instant::now() + Duration::from_mins(1));
    commands.send(LegCommand::Ack(7)).await.unwrap();
    let leg = run(streams, received, &told, &gate, OnceShut::ReadsOn);
    let keeper = async {
        while commands.capacity() < commands.max_capacity() {
            tokio::task::yield_now().await;
        }
        gate.shut(CloseCode::SessionEnded);
        let exit = KeeperFrame::Exit(Exit {
            shell_epoch: 1,
            code: Some(0),
            signal: None,
        });
        // Fails only when the leg has ended.
        stuck.write_all(&exit.to_bytes().unwrap()).await.ok();
    };
    let (end, ()) = tokio::join!(leg, keeper);
    assert!(matches!(end, LegEnd::Exit(_)), "{end:?}");
}

/// Takes whatever it is given and sends nothing of it.
struct Holds;

impl AsyncWrite for Holds {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn typed_bytes_that_a_stream_has_taken_and_not_sent_are_still_on_their_way() {
    let (reader, _far) = duplex(1);
    let streams = AttachStreams {
        reader: Box::new(reader),
        writer: Box::new(Holds),
    };
    let (commands, received) = mpsc::channel(8);
    let (told, _events) = mpsc::channel(8);
    let gate = Gate::new(std::time::Instant::now() + Duration::from_mins(1));
    commands.send(input(b"rm -r work\r")).await.unwrap();
    let leg = run(streams, received, &told, &gate, OnceShut::ReadsOn);
    let shut = async {
        while commands.capacity() < commands.max_capacity() {
            tokio::task::yield_now().await;
        }
        gate.shut(CloseCode::SessionEnded);
    };
    let (end, ()) = tokio::join!(leg, shut);
    assert!(matches!(end, LegEnd::Cut), "{end:?}");
}

#[tokio::test]
async fn a_stream_that_breaks_is_lost_and_no_exit() {
    let bench = bench(8);
    drop(bench.keeper);
    assert!(matches!(bench.end.await.unwrap(), LegEnd::Lost(_)));
}

/// A stream on which an end was sent before it broke.
struct Broken {
    read: std::io::Result<Bytes>,
}

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = std::mem::replace(&mut self.read, Ok(Bytes::new()));
        Poll::Ready(read.map(|bytes| buffer.put_slice(&bytes)))
    }
}

impl AsyncWrite for Broken {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn end_of(read: std::io::Result<Bytes>) -> LegEnd {
    let (reader, writer) = split(Broken { read });
    let streams = AttachStreams {
        reader: Box::new(reader),
        writer: Box::new(writer),
    };
    let (commands, received) = mpsc::channel(8);
    let (told, _events) = mpsc::channel(8);
    let gate = Gate::new(std::time::Instant::now() + Duration::from_mins(1));
    commands.send(input(b"typed too late")).await.unwrap();
    run(streams, received, &told, &gate, OnceShut::Ends).await
}

#[tokio::test]
async fn an_exit_sent_before_the_stream_broke_is_still_an_exit() {
    let exit = KeeperFrame::Exit(Exit {
        shell_epoch: 1,
        code: Some(0),
        signal: None,
    });
    let end = end_of(Ok(exit.to_bytes().unwrap())).await;
    assert!(matches!(end, LegEnd::Exit(_)), "{end:?}");
}

#[tokio::test]
async fn a_clean_end_of_the_stream_is_no_exit_of_the_shell() {
    let end = end_of(Ok(Bytes::new())).await;
    assert!(matches!(end, LegEnd::Lost(_)), "{end:?}");
}

#[tokio::test]
async fn a_refusal_told_on_the_stream_is_one_of_the_exec() {
    let refusal = RuntimeError::new(
        "attach",
        Signal::ExecTargetMissing {
            message: String::new(),
        },
    );
    let end = end_of(Err(std::io::Error::other(refusal))).await;
    assert!(matches!(end, LegEnd::NotStarted(_)), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_falls_silent_is_lost() {
    let bench = bench(8);
    assert!(matches!(
        bench.end.await.unwrap(),
        LegEnd::Lost("the keeper does not answer")
    ));
}
