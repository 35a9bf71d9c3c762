//! `isolation`: decisions to do without a proof, each with an author, a reason and an end.

use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{
    Cell, CliError, Column, Document, GlobalArgs, List, ListArgs, RunCommand, parse_duration,
};
use session_identity::{Actor, UserId};
use uuid::Uuid;

use super::errors;
use crate::{IsolationWaiver, Protection, grant_waiver, list_waivers, revoke_waiver};

/// What `waive` must be told: it names what is given up.
const CONFIRMATION: &str = Protection::NoNetwork.as_str();

/// Records, lists and takes back decisions to do without a proof of isolation.
#[derive(Debug, Subcommand)]
pub enum IsolationCommand {
    /// Lets environments be used whose network is not proven to be isolated, until it expires
    ///
    /// For a cluster that does not enforce network policies. Every environment used because of it
    /// names it in its evidence. No other protection can be waived.
    Waive(WaiveArgs),
    /// Lists waivers, newest first, also those that no longer count
    List {
        /// Waivers at most, 1 to 500
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
        /// How they are shown.
        #[command(flatten)]
        list: ListArgs,
    },
    /// Takes a waiver back; environments that are up stay up
    Revoke {
        /// The waiver's id
        #[arg(long, value_name = "UUID")]
        id: Uuid,
        /// The operator's user id; kept as `staff:<user id>`
        #[arg(long = "as", alias = "actor", value_name = "USER_ID", env = "CARREL_ACTOR", value_parser = user)]
        actor: UserId,
    },
}

/// Who decides what, why and for how long.
#[derive(Args, Debug)]
pub struct WaiveArgs {
    /// Why, for whoever reads the evidence
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// The operator's user id; kept as `staff:<user id>`
    #[arg(long = "as", alias = "actor", value_name = "USER_ID", env = "CARREL_ACTOR", value_parser = user)]
    pub actor: UserId,
    /// How long it counts, such as 8h or 30d; a year at most
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub lasts: Duration,
    /// What is given up, named once more: `no_network`
    #[arg(long, value_name = "PROTECTION")]
    pub confirm: Option<String>,
}

impl RunCommand for IsolationCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::Waive(args) => waive(args, globals).await,
            Self::List { limit, list } => show(limit, &list, globals).await,
            Self::Revoke { id, actor } => revoke(id, actor, globals).await,
        }
    }
}

async fn waive(args: WaiveArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let consequence =
        "candidates may reach each other, the node and the platform while a waiver counts";
    CliError::unless_confirmed(args.confirm.as_deref(), CONFIRMATION, consequence)?;
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    let actor = Actor::Staff(args.actor);
    let waiver = grant_waiver(&mut conn, &args.reason, args.lasts, &actor)
        .await
        .map_err(errors::store)?;
    Ok(Document::new(
        "execution-environment/isolation-waive.v1",
        waiver,
    ))
}

const LIST: List<IsolationWaiver> = List {
    schema: "execution-environment/isolation-list.v1",
    rows: "waivers",
    empty: "no isolation was waived",
    name: |waiver| waiver.id.to_string(),
    columns: &[
        Column::new("id", |waiver| Cell::words(waiver.id)),
        Column::new("protection", |waiver| waiver.protection.as_str().into()),
        Column::new("counts", |waiver| {
            if waiver.valid { "yes" } else { "no" }.into()
        }),
        Column::new("granted", |waiver| waiver.granted_at.into()),
        Column::new("granted_by", |waiver| waiver.granted_by.as_str().into()),
        Column::new("expires", |waiver| waiver.expires_at.into()),
        Column::new("reason", |waiver| waiver.reason.as_str().into()),
        Column::wide("revoked", |waiver| waiver.revoked_at.into()),
        Column::wide("revoked_by", |waiver| waiver.revoked_by.as_deref().into()),
    ],
};

async fn show(limit: i64, args: &ListArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    let waivers = list_waivers(&mut conn, limit)
        .await
        .map_err(errors::store)?;
    LIST.whole(globals, args, &waivers)
}

async fn revoke(id: Uuid, actor: UserId, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    let waiver = revoke_waiver(&mut conn, id, &Actor::Staff(actor))
        .await
        .map_err(errors::store)?
        .ok_or_else(|| {
            CliError::not_found(format!("no isolation waiver {id}"))
                .next("see the ids with `isolation list`")
        })?;
    Ok(Document::new(
        "execution-environment/isolation-revoke.v1",
        waiver,
    ))
}

pub(super) fn user(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| error.to_string())
}

/// As long as the table takes.
const LONGEST_REASON: usize = 500;

pub(super) fn reason(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if length > LONGEST_REASON {
        return Err(format!(
            "it has {length} characters, allowed are {LONGEST_REASON}"
        ));
    }
    if text.contains(char::is_control) {
        return Err("it holds a control character".to_owned());
    }
    Ok(text.to_owned())
}
