//! From an admitted HELLO to an opened leg.

use std::time::Duration;

use carrel_keeper::frames::{Opened, RefusalCode, Resume};
use environment_access::wire::{ClientFrame, CloseCode, Hello};
use execution_environment::RuntimeError;
use session_recording::Marker;

use super::browser::{Browser, Heard, answer_ping, hear};
use super::forgotten::count_lost;
use super::recording::{Prepared, Taped};
use crate::leg::{Leg, LegEnd, LegEvent, LegSpec};
use crate::screen_size::ScreenSize;

/// How long the keeper may take to answer, the exec included.
const OPEN_WITHIN: Duration = Duration::from_secs(15);

/// An opened leg and what is known of it.
pub(super) struct OpenedLeg {
    pub(super) leg: Leg,
    pub(super) spec: LegSpec,
    pub(super) opened: Opened,
    /// The size the shell has.
    pub(super) size: ScreenSize,
    /// The size the browser has by now.
    pub(super) wanted: ScreenSize,
    /// Whether the browser continues a screen it has, byte for byte.
    pub(super) continues: bool,
    /// The first byte of output that the browser does not have.
    pub(super) starts_at: u64,
    /// Where everything is recorded, if it is.
    pub(super) taped: Option<Taped>,
}

/// Opens the leg, or says with which code the connection ends.
pub(super) async fn open(
    browser: &mut Browser,
    spec: LegSpec,
    hello: &Hello,
    recording: Option<Prepared>,
) -> Result<OpenedLeg, CloseCode> {
    let (size, resume) = asked_by(hello);
    let mut wanted = size;
    let asked = recording.as_ref().map_or(resume, |it| it.resume(resume));
    let mut leg = Leg::start(spec.clone(), size, asked, Duration::ZERO);
    let opened = await_opened(browser, &mut leg, &spec, &mut wanted).await?;
    if resume.is_some_and(|place| place.shell_epoch != opened.shell_epoch) {
        return Err(CloseCode::CannotResume);
    }
    let place = resume.filter(|place| has_place(&opened, place.out_off));
    let continues = place.is_some();
    if let Some(asked) = resume {
        count_lost("screen", opened.replay_from.saturating_sub(asked.out_off));
    }
    let taped = match recording {
        Some(recording) => {
            let marker = if continues {
                Marker::Resume
            } else {
                Marker::Attach
            };
            recording.begin(&opened, size, Some(marker)).await?
        }
        None => None,
    };
    if let Some(taped) = &taped {
        leg = leg.taped(&taped.recorded);
    }
    Ok(OpenedLeg {
        leg,
        spec,
        starts_at: place.map_or(opened.replay_from, |place| place.out_off),
        opened,
        size,
        wanted,
        continues,
        taped,
    })
}

/// The size and the place that a browser asks for.
pub(super) fn asked_by(hello: &Hello) -> (ScreenSize, Option<Resume>) {
    let size = ScreenSize {
        columns: hello.columns,
        rows: hello.rows,
    };
    let resume = hello.resume.map(|place| Resume {
        shell_epoch: place.epoch,
        out_off: place.output_offset,
    });
    (size, resume)
}

/// Whether output goes on at an offset without anything missing.
const fn has_place(opened: &Opened, offset: u64) -> bool {
    opened.replay_from <= offset && offset <= opened.out_off
}

async fn await_opened(
    browser: &mut Browser,
    leg: &mut Leg,
    spec: &LegSpec,
    wanted: &mut ScreenSize,
) -> Result<Opened, CloseCode> {
    let deadline = tokio::time::sleep(OPEN_WITHIN);
    let mut deadline = std::pin::pin!(deadline);
    let mut shut = std::pin::pin!(spec.gate.wait_shut());
    loop {
        tokio::select! {
            biased;
            code = &mut shut => return Err(code),
            event = leg.events.recv() => match event {
                Some(LegEvent::Opened(opened)) => return Ok(opened),
                Some(LegEvent::Ended(end)) => return Err(refusal(&end)),
                Some(_) => {}
                None => return Err(CloseCode::Internal),
            },
            heard = hear(&mut browser.messages) => match heard {
                Heard::Ping(bytes) => answer_ping(&browser.outlet, bytes),
                heard => before_welcome(&heard, wanted)?,
            },
            () = &mut deadline => return Err(CloseCode::ExecFailed),
        }
    }
}

/// A client may resize and ping before WELCOME, and nothing else. Its PING frames are not answered:
/// there is no leg yet whose time an answer could tell.
fn before_welcome(heard: &Heard, size: &mut ScreenSize) -> Result<(), CloseCode> {
    match heard {
        Heard::Frame(ClientFrame::Resize { columns, rows }) => {
            *size = ScreenSize {
                columns: *columns,
                rows: *rows,
            };
            Ok(())
        }
        Heard::Frame(ClientFrame::Ping { .. } | ClientFrame::Ignored { .. })
        | Heard::Ping(_)
        | Heard::Pong => Ok(()),
        Heard::Frame(ClientFrame::Detach(_)) | Heard::Gone => Err(CloseCode::GoingAway),
        Heard::Frame(_) => Err(CloseCode::Protocol),
        Heard::Refused(code) => Err(*code),
    }
}

/// The close code of a leg that ended before it could be used, or for good.
pub(super) fn refusal(end: &LegEnd) -> CloseCode {
    match end {
        LegEnd::Superseded { .. } => CloseCode::Superseded,
        LegEnd::Displaced => CloseCode::ExecFailed,
        LegEnd::Exit(_) => CloseCode::ShellExited,
        LegEnd::Refused(refused) => {
            tracing::warn!(code = ?refused.code, message = refused.message, "the keeper refused");
            match refused.code {
                RefusalCode::StaleEpoch => CloseCode::Superseded,
                RefusalCode::OtherInstance => CloseCode::EnvironmentGone,
                RefusalCode::NoKeeper | RefusalCode::ShellFailed => CloseCode::ExecFailed,
                _ => CloseCode::Internal,
            }
        }
        LegEnd::NotStarted(error) => {
            tracing::warn!(signal = error.signal.kind(), error = %error, "the leg did not start");
            close_code_of_signal(error.signal.kind())
        }
        LegEnd::Lost(reason) => {
            tracing::warn!(reason, "the leg was lost");
            CloseCode::ExecFailed
        }
        LegEnd::Cut => CloseCode::Internal,
        LegEnd::Unrecorded => CloseCode::Overloaded,
    }
}

/// Whether the environment is no more, so that opening a leg anew can never succeed: a lost
/// environment is not made again.
pub(super) fn is_gone_for_good(error: &RuntimeError) -> bool {
    close_code_of_signal(error.signal.kind()) == CloseCode::EnvironmentGone
}

/// What did not let an exec start: gone for good, not there yet, or worth another try.
fn close_code_of_signal(kind: &str) -> CloseCode {
    match kind {
        "vanished" => CloseCode::EnvironmentGone,
        "exec_target_missing" => CloseCode::EnvironmentNotReady,
        _ => CloseCode::ExecFailed,
    }
}

#[cfg(test)]
mod tests {
    use carrel_keeper::frames::Refused;

    use super::*;

    #[test]
    fn each_refusal_of_the_keeper_has_its_code() {
        let refused = |code| {
            refusal(&LegEnd::Refused(Refused {
                code,
                message: String::new(),
            }))
        };
        assert_eq!(refused(RefusalCode::StaleEpoch), CloseCode::Superseded);
        assert_eq!(refused(RefusalCode::NoKeeper), CloseCode::ExecFailed);
        assert_eq!(
            refused(RefusalCode::OtherInstance),
            CloseCode::EnvironmentGone
        );
        assert_eq!(refused(RefusalCode::InputGap), CloseCode::Internal);
        assert_eq!(
            refusal(&LegEnd::Superseded { by: Some(2) }),
            CloseCode::Superseded
        );
        assert_eq!(refusal(&LegEnd::Lost("x")), CloseCode::ExecFailed);
    }

    #[test]
    fn typing_before_welcome_breaks_the_protocol() {
        let mut size = ScreenSize {
            columns: 80,
            rows: 24,
        };
        let input = ClientFrame::Input {
            offset: 0,
            bytes: "x".into(),
        };
        assert_eq!(
            before_welcome(&Heard::Frame(input), &mut size),
            Err(CloseCode::Protocol)
        );
        let resize = ClientFrame::Resize {
            columns: 100,
            rows: 30,
        };
        assert_eq!(before_welcome(&Heard::Frame(resize), &mut size), Ok(()));
        assert_eq!(
            size,
            ScreenSize {
                columns: 100,
                rows: 30
            }
        );
    }
}
