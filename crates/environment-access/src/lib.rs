#![doc = include_str!("../README.md")]

mod access_log;
mod attachment;
mod authorize;
mod checks;
#[cfg(feature = "cli")]
pub mod cli;
mod facts;
mod history;
mod interruption;
mod origin;
mod outage;
mod reading;
mod terminal;
mod ticket;
mod token;
pub mod wire;

pub use access_log::{
    AccessEntry, append_access, count_named_access, count_old_access, delete_old_access,
    pseudonymise_access,
};
pub use attachment::{
    AttachmentRecord, attachments, beat_attachments, close_attachment, close_silent_attachments,
    open_attachment,
};
pub use authorize::{Action, Decision, Denial, DenialCode, PublicAnswer, authorize};
pub use checks::{Check, attach_checks};
pub use facts::{SessionFacts, Standing, load_facts};
pub use history::{AccessLine, AccessRun, access_runs, first_access_at, latest_access};
pub use interruption::{
    AccessEvidence, ChargedTo, Interruption, find_interruptions, load_interruptions, platform_time,
};
pub use origin::{OriginError, Origins, PageOrigin};
pub use outage::{
    Outage, OutageCause, OutageRecord, RefusalRecord, Span, TurnedAway, beat_process, downtimes,
    outages, record_outage, record_turned_away, refusals,
};
pub use reading::{
    ClaimedShells, Leaving, READING_LEASE, ReadShell, begin_reading, claim_unread_shells,
    count_unread_shells, keep_reading, leave_shells,
};
pub use terminal::{TerminalAuthority, current_epochs, has_other_page_since, take_epoch};
pub use ticket::{
    IssuedTicket, Redeem, RedeemError, Redeemed, TICKET_LIFETIME, TICKETS_PER_MINUTE, TicketDenial,
    TicketError, TicketGrant, delete_stale_tickets, issue_ticket, redeem_ticket, revoke_tickets,
};
pub use token::{
    Claims, FetchPace, IssuedToken, JwksUrl, JwksUrlError, KeyError, KeyFreshness, KeySource,
    Login, MintError, TokenArgs, TokenConfig, TokenError, TokenRequest, TokenVerifier, issue_token,
};

/// Name of the cookie that carries a login, kept from scripts and from other sites.
pub const LOGIN_COOKIE: &str = "carrel_login";
