#![doc = include_str!("../README.md")]

mod access_log;
mod authorize;
#[cfg(feature = "cli")]
pub mod cli;
mod facts;
mod history;
mod origin;
mod terminal;
mod ticket;
mod token;
pub mod wire;

pub use access_log::{AccessEntry, append_access};
pub use authorize::{Action, Decision, Denial, DenialCode, PublicAnswer, authorize};
pub use facts::{SessionFacts, Standing, load_facts};
pub use history::{AccessRun, TerminalRecord, access_runs, load_terminal};
pub use origin::{OriginError, Origins, PageOrigin};
pub use terminal::{TerminalAuthority, beat_terminals, close_terminal, current_epochs, take_epoch};
pub use ticket::{
    IssuedTicket, Redeem, RedeemError, Redeemed, TICKET_LIFETIME, TICKETS_PER_MINUTE, TicketDenial,
    TicketError, TicketGrant, delete_stale_tickets, issue_ticket, redeem_ticket, revoke_tickets,
};
pub use token::{
    Claims, IssuedToken, KeyError, KeySource, Login, MintError, TokenArgs, TokenConfig, TokenError,
    TokenRequest, TokenVerifier, issue_token,
};

/// Name of the cookie that carries a login, kept from scripts and from other sites.
pub const LOGIN_COOKIE: &str = "carrel_login";
