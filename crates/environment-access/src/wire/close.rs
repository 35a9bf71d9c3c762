//! Close codes: what they mean and what a client does about them.

use std::time::Duration;

/// Why the server closes a terminal's WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1000: the shell exited.
    ShellExited,
    /// 1001: the server goes away.
    GoingAway,
    /// 1002: a frame that is none.
    Protocol,
    /// 1003: a text frame.
    Text,
    /// 1009: a message beyond the limit.
    TooBig,
    /// 1011: an error of ours.
    Internal,
    /// 1012: this process restarts.
    Restart,
    /// 1013: more terminals than this process serves.
    Overloaded,
    /// 4001: the ticket is bad, used or expired.
    Ticket,
    /// 4004: no such terminal for this caller: missing, foreign, not started.
    NotAvailable,
    /// 4008: HELLO came late.
    HelloLate,
    /// 4009: a newer attach took over.
    Superseded,
    /// 4010: the session ended.
    SessionEnded,
    /// 4012: the login expired.
    LoginExpired,
    /// 4013: the place to resume from is of another shell's life.
    CannotResume,
    /// 4021: output was not acknowledged.
    SlowConsumer,
    /// 4030: the environment is not ready to be attached to.
    EnvironmentNotReady,
    /// 4031: the environment is gone.
    EnvironmentGone,
    /// 4032: the leg into the environment could not be opened.
    ExecFailed,
}

/// What a client does after a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Show what happened; connect again only when the person asks.
    OfferNewShell,
    /// Reconnect after a random 0–5 s.
    ReconnectJittered,
    /// Stop; this is a defect.
    StopAndReport,
    /// Reconnect with growing pauses.
    BackOff,
    /// Take one new ticket and reconnect.
    NewTicketOnce,
    /// Stop.
    Stop,
    /// Stop and offer to take over again.
    OfferTakeover,
    /// Log in again, then resume.
    LogIn,
    /// Reconnect without resuming.
    FreshHello,
    /// Resume at once.
    ResumeNow,
    /// Reconnect with growing pauses, at most five times.
    BackOffFive,
}

impl CloseCode {
    /// Every code, ascending by number.
    pub const ALL: [Self; 19] = [
        Self::ShellExited,
        Self::GoingAway,
        Self::Protocol,
        Self::Text,
        Self::TooBig,
        Self::Internal,
        Self::Restart,
        Self::Overloaded,
        Self::Ticket,
        Self::NotAvailable,
        Self::HelloLate,
        Self::Superseded,
        Self::SessionEnded,
        Self::LoginExpired,
        Self::CannotResume,
        Self::SlowConsumer,
        Self::EnvironmentNotReady,
        Self::EnvironmentGone,
        Self::ExecFailed,
    ];

    /// The number sent in the Close frame.
    pub const fn number(self) -> u16 {
        match self {
            Self::ShellExited => 1000,
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::Text => 1003,
            Self::TooBig => 1009,
            Self::Internal => 1011,
            Self::Restart => 1012,
            Self::Overloaded => 1013,
            Self::Ticket => 4001,
            Self::NotAvailable => 4004,
            Self::HelloLate => 4008,
            Self::Superseded => 4009,
            Self::SessionEnded => 4010,
            Self::LoginExpired => 4012,
            Self::CannotResume => 4013,
            Self::SlowConsumer => 4021,
            Self::EnvironmentNotReady => 4030,
            Self::EnvironmentGone => 4031,
            Self::ExecFailed => 4032,
        }
    }

    /// The code with this number, if it is one of ours.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// A stable word for logs, metrics and the reason of the Close frame.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShellExited => "shell_exited",
            Self::GoingAway => "going_away",
            Self::Protocol => "protocol_error",
            Self::Text => "text_frame",
            Self::TooBig => "too_big",
            Self::Internal => "internal_error",
            Self::Restart => "restart",
            Self::Overloaded => "overloaded",
            Self::Ticket => "ticket_refused",
            Self::NotAvailable => "not_available",
            Self::HelloLate => "hello_late",
            Self::Superseded => "superseded",
            Self::SessionEnded => "session_ended",
            Self::LoginExpired => "login_expired",
            Self::CannotResume => "cannot_resume",
            Self::SlowConsumer => "slow_consumer",
            Self::EnvironmentNotReady => "environment_not_ready",
            Self::EnvironmentGone => "environment_gone",
            Self::ExecFailed => "exec_failed",
        }
    }

    /// How long a client waits at least before it reconnects, where that is known here.
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Internal | Self::Restart => Some(Duration::from_secs(1)),
            // As the HTTP routes answer when they are full.
            Self::Overloaded => Some(Duration::from_secs(2)),
            _ => None,
        }
    }

    /// The reason in the Close frame: its word and, where it has one, its pause in seconds.
    pub fn reason(self) -> String {
        match self.retry_after() {
            Some(pause) => format!("{} retry_after={}", self.as_str(), pause.as_secs()),
            None => self.as_str().to_owned(),
        }
    }

    /// What a client does after it.
    pub const fn advice(self) -> Advice {
        match self {
            Self::ShellExited => Advice::OfferNewShell,
            Self::GoingAway | Self::Restart => Advice::ReconnectJittered,
            Self::Protocol | Self::Text | Self::TooBig => Advice::StopAndReport,
            Self::Internal | Self::Overloaded | Self::HelloLate | Self::EnvironmentNotReady => {
                Advice::BackOff
            }
            Self::Ticket => Advice::NewTicketOnce,
            Self::NotAvailable | Self::SessionEnded | Self::EnvironmentGone => Advice::Stop,
            Self::Superseded => Advice::OfferTakeover,
            Self::LoginExpired => Advice::LogIn,
            Self::CannotResume => Advice::FreshHello,
            Self::SlowConsumer => Advice::ResumeNow,
            Self::ExecFailed => Advice::BackOffFive,
        }
    }
}

impl Advice {
    /// A stable word, as in the golden file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OfferNewShell => "offer_new_shell",
            Self::ReconnectJittered => "reconnect_jittered",
            Self::StopAndReport => "stop_and_report",
            Self::BackOff => "back_off",
            Self::NewTicketOnce => "new_ticket_once",
            Self::Stop => "stop",
            Self::OfferTakeover => "offer_takeover",
            Self::LogIn => "log_in",
            Self::FreshHello => "fresh_hello",
            Self::ResumeNow => "resume_now",
            Self::BackOffFive => "back_off_five",
        }
    }
}
