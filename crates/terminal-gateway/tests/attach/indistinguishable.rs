//! Thousands of questions about sessions that are missing, foreign or not yet started, for a ticket
//! and for the terminal itself: the answers are the same bytes, and take as long.

use std::time::{Duration, Instant};

use rand::seq::SliceRandom as _;
use reqwest::header::{DATE, HeaderMap};
use session_identity::{ExamSessionId, Role};
use sqlx::PgPool;

use crate::bench::Bench;
use crate::rows::{insert_session, set_state, token};

/// Questions of each kind. A tenth more or less of [`superiority`] is five standard deviations.
const EACH: usize = 400;
/// How far from a coin's toss it may be which of two kinds is answered later.
const BAND: f64 = 0.1;

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Missing,
    ForeignUnstarted,
    ForeignRunning,
    OwnUnstarted,
    /// With a login that is refused before any session is looked for: it is answered sooner.
    Stranger,
}

const ALIKE: [Kind; 4] = [
    Kind::Missing,
    Kind::ForeignUnstarted,
    Kind::ForeignRunning,
    Kind::OwnUnstarted,
];

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Route {
    Ticket,
    Terminal,
}

struct Question {
    kind: Kind,
    session_id: ExamSessionId,
    token: String,
}

/// Everything that a caller can see of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    headers: HeaderMap,
    body: String,
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn missing_foreign_and_unstarted_sessions_cannot_be_told_apart(pool: PgPool) {
    told_alike_on(Route::Ticket, pool).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn nor_can_they_by_whoever_knocks_at_the_terminal_without_a_ticket(pool: PgPool) {
    told_alike_on(Route::Terminal, pool).await;
}

async fn told_alike_on(route: Route, pool: PgPool) {
    let bench = Bench::start(pool).await;
    let mut questions = Vec::new();
    for number in 0..EACH {
        for kind in ALIKE.into_iter().chain([Kind::Stranger]) {
            questions.push(question(&bench.pool, kind, number).await);
        }
    }
    // Neither the order nor a slow moment of the machine favours a kind.
    questions.shuffle(&mut rand::rng());
    let first = questions.iter().find(|it| it.kind == Kind::Missing);
    let (_, expected) = ask(&bench, route, first.unwrap()).await;
    assert_eq!(expected.status, 404);
    let mut times: Vec<(Kind, Duration)> = Vec::new();
    for question in &questions {
        let (time, seen) = ask(&bench, route, question).await;
        times.push((question.kind, time));
        if question.kind != Kind::Stranger {
            assert_eq!(seen, expected, "{:?}", question.kind);
        }
    }
    let of = |kind| {
        times
            .iter()
            .filter(move |time| time.0 == kind)
            .map(|time| time.1)
    };
    let missing: Vec<_> = of(Kind::Missing).collect();
    for kind in ALIKE {
        let later = superiority(&of(kind).collect::<Vec<_>>(), &missing);
        assert!(
            (later - 0.5).abs() < BAND,
            "{kind:?} is later than missing ones: {later:.3}"
        );
    }
    let noticed = superiority(&of(Kind::Stranger).collect::<Vec<_>>(), &missing);
    assert!(
        noticed < 0.5 - BAND,
        "the measure would see a statement less: {noticed:.3}"
    );
}

async fn question(pool: &PgPool, kind: Kind, number: usize) -> Question {
    // Names are of one length, and every question comes from a user of its own.
    let [asker, owner] = ["a", "o"].map(|who| format!("{who}-{}-{number:04}", kind as u8));
    let session_id = match kind {
        Kind::Missing | Kind::Stranger => ExamSessionId::generate(),
        Kind::ForeignUnstarted | Kind::ForeignRunning => insert_session(pool, &owner).await,
        Kind::OwnUnstarted => insert_session(pool, &asker).await,
    };
    if kind == Kind::ForeignRunning {
        for state in ["initializing", "ready", "running"] {
            set_state(pool, session_id, state).await;
        }
    }
    let mut token = token(&asker, Role::Candidate);
    if kind == Kind::Stranger {
        token.truncate(token.len() - 8);
    }
    Question {
        kind,
        session_id,
        token,
    }
}

async fn ask(bench: &Bench, route: Route, question: &Question) -> (Duration, Seen) {
    let session = question.session_id.to_string();
    let begun = Instant::now();
    let answer = match route {
        Route::Ticket => bench.ask_ticket(&session, &question.token).await,
        Route::Terminal => bench.ask_upgrade(&session, &question.token).await,
    };
    let time = begun.elapsed();
    let (status, mut headers) = (answer.status().as_u16(), answer.headers().clone());
    headers.remove(DATE);
    let body = without_request_id(&answer.text().await.unwrap());
    (
        time,
        Seen {
            status,
            headers,
            body,
        },
    )
}

/// The body with its one part that is another in every answer blanked, and no byte moved.
fn without_request_id(body: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(body).unwrap();
    let id = document["request_id"].as_str().unwrap();
    body.replace(id, &"0".repeat(id.len()))
}

/// The chance that one of `these` took longer than one of `those`, ties counted half: 0.5 for two
/// samples of one distribution, whatever it looks like.
fn superiority(these: &[Duration], those: &[Duration]) -> f64 {
    let mut doubled = 0_u32;
    for this in these {
        for that in those {
            doubled += 1 + u32::from(this > that) - u32::from(this < that);
        }
    }
    let pairs = u32::try_from(these.len() * those.len()).expect("a few thousand");
    f64::from(doubled) / (2.0 * f64::from(pairs))
}
