//! Thousands of questions about sessions that are missing or foreign, on every route of a session:
//! the answers take as long.

mod support;

use std::time::{Duration, Instant};

use rand::seq::SliceRandom as _;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use session_identity::{ExamSessionId, Role};
use sqlx::PgPool;
use support::{Answer, TestApi, exams};

/// Questions of each kind on each route: of each kind more than 400, so that twice as much as
/// [`BAND`] lies eight standard deviations off.
const EACH: usize = 90;
/// How far from a coin's toss it may be which of two kinds is answered later.
const BAND: f64 = 0.1;
const ROUTES: usize = 5;

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Missing,
    NeverGiven,
    ForeignUnstarted,
    ForeignRunning,
    ForeignEnded,
    /// With a login that is refused before any session is looked for: it is answered sooner.
    Stranger,
}

const ALIKE: [Kind; 4] = [
    Kind::NeverGiven,
    Kind::ForeignUnstarted,
    Kind::ForeignRunning,
    Kind::ForeignEnded,
];

struct Foreign {
    unstarted: String,
    running: String,
    ended: String,
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn missing_and_foreign_sessions_cannot_be_told_apart_by_time(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let foreign = foreign(&api, &pool).await;
    let mut questions = Vec::new();
    for route in 0..ROUTES {
        for kind in ALIKE.into_iter().chain([Kind::Missing, Kind::Stranger]) {
            questions.extend([(route, kind)].repeat(EACH));
        }
    }
    // Neither the order nor a slow moment of the machine favours a kind.
    questions.shuffle(&mut rand::rng());
    let mut times = Vec::new();
    for (route, kind) in questions {
        times.push((route, kind, ask(&api, &foreign, route, kind).await));
    }
    let of = |kind| {
        let times = &times;
        move |route| -> Vec<Duration> {
            let its = times.iter().filter(|it| (it.0, it.1) == (route, kind));
            its.map(|it| it.2).collect()
        }
    };
    for kind in ALIKE {
        let later = superiority(of(kind), of(Kind::Missing));
        assert!(
            (later - 0.5).abs() < BAND,
            "{kind:?} is later than missing ones: {later:.3}"
        );
    }
    let noticed = superiority(of(Kind::Stranger), of(Kind::Missing));
    assert!(
        noticed < 0.5 - BAND,
        "the measure would see a statement less: {noticed:.3}"
    );
}

async fn foreign(api: &TestApi, pool: &PgPool) -> Foreign {
    let running = api.session_of("owner-2").await;
    exams::run(pool, &running).await;
    let ended = api.session_of("owner-3").await;
    exams::end(pool, &ended).await;
    Foreign {
        unstarted: api.session_of("owner-1").await,
        running,
        ended,
    }
}

async fn ask(api: &TestApi, foreign: &Foreign, route: usize, kind: Kind) -> Duration {
    let session = match kind {
        Kind::Missing | Kind::Stranger => ExamSessionId::generate().to_string(),
        Kind::NeverGiven => "00000000-0000-7000-8000-000000000000".to_owned(),
        Kind::ForeignUnstarted => foreign.unstarted.clone(),
        Kind::ForeignRunning => foreign.running.clone(),
        Kind::ForeignEnded => foreign.ended.clone(),
    };
    let token = support::tokens::valid("stranger", Role::Candidate);
    let (token, expected) = match kind {
        Kind::Stranger => (&token[..token.len() - 8], 401),
        _ => (token.as_str(), 404),
    };
    let request = request(api, &session, route).bearer_auth(token);
    let begun = Instant::now();
    let answer = Answer::of(request).await;
    let time = begun.elapsed();
    assert_eq!(answer.status, expected, "{kind:?} {}", answer.text);
    time
}

fn request(api: &TestApi, session: &str, route: usize) -> RequestBuilder {
    let path = |rest: &str| format!("/v1/sessions/{session}{rest}");
    match route {
        0 => api.request(Method::GET, &path("")),
        1 => api.request(Method::GET, &path("/events")),
        2 => api.request(Method::GET, &path("/recording/raw")),
        3 => api
            .request(Method::POST, &path("/terminate"))
            .json(&json!({})),
        _ => api
            .request(Method::POST, &path("/extend"))
            .header("idempotency-key", "k")
            .json(&json!({"by_seconds": 60, "reason": "r"})),
    }
}

/// The chance that on one route one of `these` took longer than one of `those`, ties counted half:
/// 0.5 for two samples of one distribution, whatever it looks like.
fn superiority(
    these: impl Fn(usize) -> Vec<Duration>,
    those: impl Fn(usize) -> Vec<Duration>,
) -> f64 {
    let (mut doubled, mut pairs) = (0_u32, 0_u32);
    for route in 0..ROUTES {
        let those = those(route);
        for this in these(route) {
            pairs += u32::try_from(those.len()).expect("a hundred");
            doubled += those
                .iter()
                .map(|that| 1 + u32::from(this > *that) - u32::from(this < *that))
                .sum::<u32>();
        }
    }
    f64::from(doubled) / (2.0 * f64::from(pairs))
}
