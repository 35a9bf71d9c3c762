//! `run`: process 1 of an environment.

mod client;
mod handshake;
mod input;
mod proof;
mod registration;
mod ring;
mod shell;
mod terminal;

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixListener as Listener;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, Mode};
use rustix::process::{DumpableBehavior, Signal};
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::args::RunArgs;
use crate::{Failure, limits, processes, verify};
use handshake::{Handshake, shake_hands};
use terminal::Terminal;

/// What programs get between HUP and KILL: an editor writes its swap file in far less, and a
/// container engine's own patience (10 s) is far more.
const GRACE: Duration = Duration::from_secs(2);

/// Streams that may be in their handshake at once; more wait in the listen queue.
const HANDSHAKES: usize = 8;

/// Keeps the shell until a signal asks for the end.
pub(crate) fn run(args: RunArgs) -> Result<(), Failure> {
    // Before the limits: that of processes counts the user's on the whole machine, and would be
    // taken for this environment's own.
    let wanted = args.proof.as_ref().and_then(|proof| proof.pids);
    let pids_tried = wanted.and_then(verify::try_to_exceed);
    limits::lower(args.limits).map_err(|error| Failure::broken("limits", &error))?;
    let program = Path::new(&args.shell[0]);
    if shell::find_program(program).is_none() {
        return Err(Failure::no_shell(format!(
            "no such shell: {}",
            program.display()
        )));
    }
    let may_enter = rustix::fs::access(&args.workdir, Access::EXEC_OK).is_ok();
    if !args.workdir.is_dir() || !may_enter {
        return Err(Failure::no_shell(format!(
            "cannot enter {}",
            args.workdir.display()
        )));
    }
    // Who attaches during the proof waits in the queue instead of finding nobody.
    let listener = listen(&args.socket).map_err(|error| Failure::broken("run", &error))?;
    if let Some(proof) = &args.proof {
        // Not dumpable, a process may not list its own namespaces; nobody is here to trace it yet.
        proof::print(proof, pids_tried)?;
    }
    protect().map_err(|error| Failure::broken("cannot protect the keeper", &error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::broken("runtime", &error))?;
    runtime
        .block_on(keep(args, listener))
        .map_err(|error| Failure::broken("run", &error))
}

/// Keeps the candidate, who has our uid, from tracing us, and makes us the parent of orphans
/// also where we are not process 1.
fn protect() -> io::Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// The socket is the keeper's own: only its uid may connect.
fn listen(socket: &Path) -> io::Result<Listener> {
    if fs::symlink_metadata(socket).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(socket)?;
    }
    let usual = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = Listener::bind(socket);
    rustix::process::umask(usual);
    listener.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {}: {error}", socket.display()),
        )
    })
}

/// What can happen to the keeper.
enum Event {
    ChildEnded,
    Stop,
    Opened(Handshake),
    Ready,
    GraceOver,
}

/// Where events come from.
struct Sources {
    children: Signals,
    stops: [Signals; 3],
    opened: mpsc::Receiver<Handshake>,
}

impl Sources {
    fn new(listener: Listener) -> io::Result<Self> {
        let stop = |kind| signal(kind);
        let children = signal(SignalKind::child())?;
        let stops = [
            stop(SignalKind::terminate())?,
            stop(SignalKind::interrupt())?,
            stop(SignalKind::hangup())?,
        ];
        let (sender, opened) = mpsc::channel(1);
        listener.set_nonblocking(true)?;
        tokio::spawn(accept(UnixListener::from_std(listener)?, sender));
        Ok(Self {
            children,
            stops,
            opened,
        })
    }

    /// Waits for the next event. Signals and attaches go before bytes.
    async fn next(&mut self, terminal: &Terminal, grace: Option<Instant>) -> Event {
        let [terminate, interrupt, hangup] = &mut self.stops;
        let grace = async {
            match grace {
                Some(end) => tokio::time::sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.children.recv() => Event::ChildEnded,
            _ = terminate.recv() => Event::Stop,
            _ = interrupt.recv() => Event::Stop,
            _ = hangup.recv() => Event::Stop,
            () = grace => Event::GraceOver,
            Some(handshake) = self.opened.recv() => Event::Opened(handshake),
            () = terminal.ready() => Event::Ready,
        }
    }
}

/// Accepts streams and hands on those that say OPEN properly.
async fn accept(listener: UnixListener, opened: mpsc::Sender<Handshake>) {
    let free = std::sync::Arc::new(tokio::sync::Semaphore::new(HANDSHAKES));
    while let Ok(permit) = free.clone().acquire_owned().await {
        let Ok((socket, _)) = listener.accept().await else {
            // Out of descriptors: some are about to be closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let opened = opened.clone();
        tokio::spawn(async move {
            if let Some(handshake) = shake_hands(socket).await {
                // A closed channel means that the keeper is ending.
                opened.send(handshake).await.ok();
            }
            drop(permit);
        });
    }
}

async fn keep(args: RunArgs, listener: Listener) -> io::Result<()> {
    let mut sources = Sources::new(listener)?;
    let socket = args.socket.clone();
    let mut terminal = Terminal::new(args);
    let mut grace = None;
    loop {
        let mut childless = false;
        match sources.next(&terminal, grace).await {
            Event::ChildEnded => childless = !terminal.reap(),
            Event::Stop if grace.is_none() => {
                grace = Some(Instant::now() + GRACE);
                // CONT, because a stopped process would not see the HUP.
                processes::signal_descendants(&[Signal::HUP, Signal::CONT]);
                childless = !terminal.reap();
            }
            Event::Stop | Event::Ready => {}
            Event::Opened(handshake) if grace.is_none() => terminal.admit(handshake),
            Event::Opened(handshake) => drop(handshake),
            Event::GraceOver => break,
        }
        terminal.progress();
        if grace.is_some() && childless {
            break;
        }
    }
    kill_everything(&mut terminal).await;
    terminal.progress();
    terminal.close(Duration::from_millis(500)).await;
    // The socket's file is of no use any more; in a container it goes with its tmpfs.
    fs::remove_file(&socket).ok();
    Ok(())
}

/// Kills until nothing is left, because a process may fork while the others are being killed.
async fn kill_everything(terminal: &mut Terminal) {
    for _ in 0..50 {
        if !terminal.reap() {
            return;
        }
        processes::signal_descendants(&[Signal::KILL]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
