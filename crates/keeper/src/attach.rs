//! `attach`: relays frames between standard streams and the keeper's socket.
//!
//! Two blocking threads and no runtime: it lives as long as an exec and should cost as little.
//! It ends when either side ends, also when only its input does; otherwise a lost exec would
//! leave an orphan behind.

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use carrel_keeper::frames::{MAX_FRAME, RefusalCode, Refused};
use carrel_keeper::{ClientFrame, Decoder, Frame as _, INSTANCE_VARIABLE, KeeperFrame};
use rustix::process::DumpableBehavior;

use crate::Failure;
use crate::args::AttachArgs;

/// How long the last output may take once the input has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// Relays until one side ends; the first frame must be an OPEN of `epoch`.
pub(crate) fn attach(args: &AttachArgs) -> Result<(), Failure> {
    // The candidate has our uid: without this a debugger could type into the relay. Kernels
    // without the call leave us where we were.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
    let mut output = duplicate(std::io::stdout().as_fd())?;
    let mut input = duplicate(std::io::stdin().as_fd())?;
    if let Some(message) = args.instance.as_deref().and_then(other_instance) {
        return Err(refuse(&mut output, RefusalCode::OtherInstance, message));
    }
    let keeper = match UnixStream::connect(&args.socket) {
        Ok(keeper) => keeper,
        Err(error) => {
            let message = format!("{}: {error}", args.socket.display());
            return Err(refuse(&mut output, RefusalCode::NoKeeper, message));
        }
    };
    let first = match first_frame(&mut input, args.epoch) {
        Ok(first) => first,
        Err((code, message)) => return Err(refuse(&mut output, code, message)),
    };
    let mut upstream = keeper
        .try_clone()
        .map_err(|error| Failure::broken("socket", &error))?;
    std::thread::spawn(move || {
        // A failure on either side means the same as its end.
        upstream
            .write_all(&first)
            .and_then(|()| copy(&mut input, &mut upstream))
            .ok();
        upstream.shutdown(Shutdown::Write).ok();
        std::thread::sleep(FAREWELL);
        leave();
    });
    copy(&mut &keeper, &mut output).ok();
    Ok(())
}

/// Says what is wrong when this is not the object that was meant: an exec finds its place by a
/// name, and another environment may bear it by now.
fn other_instance(meant: &str) -> Option<String> {
    let found = std::env::var_os(INSTANCE_VARIABLE).unwrap_or_default();
    (found != meant).then(|| format!("attach is for {meant}, this is {}", found.display()))
}

#[expect(
    clippy::exit,
    reason = "the main thread may hang in a write nobody reads any more"
)]
fn leave() -> ! {
    std::process::exit(0)
}

/// Reads up to the end of the first frame and proves that it is an OPEN of `epoch`; returns all
/// bytes read. An input that ends before is returned as it is: the keeper sees the same end.
fn first_frame(input: &mut File, epoch: i64) -> Result<Vec<u8>, (RefusalCode, String)> {
    let mut decoder = Decoder::<ClientFrame>::new();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let frame = decoder
            .next_frame()
            .map_err(|error| (RefusalCode::Protocol, error.to_string()))?;
        match frame {
            Some(ClientFrame::Open(open)) if open.epoch == epoch => return Ok(seen),
            Some(ClientFrame::Open(open)) => {
                let message = format!("attach has epoch {epoch}, OPEN has {}", open.epoch);
                return Err((RefusalCode::EpochMismatch, message));
            }
            Some(_) => return Err((RefusalCode::BadOpen, "the first frame is no OPEN".into())),
            None => {}
        }
        let count = input.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return Ok(seen);
        }
        decoder.push(&buffer[..count]);
        seen.extend_from_slice(&buffer[..count]);
    }
}

/// Copies without holding anything back: every read is written before the next.
fn copy(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<()> {
    let mut buffer = vec![0; MAX_FRAME];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&buffer[..count])?;
    }
}

/// Says REFUSED in the keeper's stead.
fn refuse(output: &mut File, code: RefusalCode, message: String) -> Failure {
    let refused = KeeperFrame::Refused(Refused {
        code,
        message: message.clone(),
    });
    if let Ok(bytes) = refused.to_bytes() {
        // The exit code says it too.
        output.write_all(&bytes).ok();
    }
    Failure::unreachable(message)
}

fn duplicate(stream: std::os::fd::BorrowedFd<'_>) -> Result<File, Failure> {
    let owned = stream.try_clone_to_owned();
    owned
        .map(File::from)
        .map_err(|error| Failure::broken("standard streams", &error))
}
