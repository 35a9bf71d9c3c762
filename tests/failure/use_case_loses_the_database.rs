//! Each use case, struck at each word that it says to the database; whoever asked asks again.

use std::time::Duration;

use environment_access::wire::CloseCode;
use environment_access::{
    TicketGrant, close_attachment, issue_ticket, open_attachment, take_epoch,
};
use job_queue::{JobAction, list_schedules, pause_schedule};
use orchestrator::{
    AttachAttempt, Compensation, Debt, EndRequest, SessionRequest, admit_attach,
    compensate_session, end_session, extend_session, request_session,
};
use session_identity::{Actor, ExamSessionId, LoginId, Principal, Role, TerminalProcessId, UserId};
use session_lifecycle::{
    Advance, Extension, SessionFilter, extensions, list_sessions, load_session,
};
use sqlx::{AssertSqlSafe, PgPool};
use system_tests::{Weight, crew, exams, take_places};

use crate::each_word::at_every_word;
use crate::prepared::{bring, change, jobs, ready_on_nothing};
use crate::scene::Scene;

const RUNNING: [Advance; 3] = [
    Advance::ToInitializing,
    Advance::ToReady,
    Advance::ToRunning,
];
const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_session_is_made_once_whichever_word_of_the_request_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let another = |session: ExamSessionId| UserId::parse(&format!("v-{session}")).unwrap();
    at_every_word(
        &scene,
        "a request",
        async |_| {},
        async |pool, session| {
            let request = SessionRequest {
                user_id: another(session),
                exam_name: exams::SAMPLE.to_owned(),
                exam_version: None,
                principal: principal("exam-platform", Role::Service),
                idempotency_key: Some(session.to_string()),
                trace: None,
            };
            request_session(&pool, &request).await?;
            Ok(())
        },
        async |session| {
            let mut conn = scene.pool().acquire().await.unwrap();
            let theirs = SessionFilter {
                user_id: Some(another(session)),
                ..SessionFilter::default()
            };
            let made = list_sessions(&mut conn, &theirs, 10).await.unwrap();
            for one in &made {
                crew::end(scene.pool(), one.id).await;
            }
            made.len()
        },
    )
    .await;
}

#[tokio::test]
async fn the_clock_is_started_once_whichever_word_of_the_first_attach_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    at_every_word(
        &scene,
        "an attach",
        async |session| ready_on_nothing(scene.pool(), session).await,
        async |pool, session| {
            // Each attempt of a page has a ticket of its own.
            let attempt = attempt(&pool, session).await?;
            admit_attach(&pool, &attempt).await?;
            Ok(())
        },
        async |session| jobs(scene.pool(), session, "activate_session").await,
    )
    .await;
}

#[tokio::test]
async fn a_deadline_moves_once_whichever_word_of_the_extension_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    at_every_word(
        &scene,
        "an extension",
        async |session| bring(scene.pool(), session, &RUNNING).await,
        async |pool, session| {
            let minute = Extension {
                session_id: session,
                by: MINUTE,
                actor: dana(),
                reason: "INC-7".to_owned(),
                idempotency_key: "INC-7".to_owned(),
            };
            extend_session(&pool, &minute).await?;
            Ok(())
        },
        async |session| {
            let mut conn = scene.pool().acquire().await.unwrap();
            let row = load_session(&mut conn, session).await.unwrap().unwrap();
            let lasts = row.ends_at.unwrap() - row.running_at.unwrap();
            let times = extensions(&mut conn, session).await.unwrap().len();
            assert_eq!(lasts.num_seconds(), if times == 0 { 3_600 } else { 3_660 });
            times
        },
    )
    .await;
}

#[tokio::test]
async fn an_end_is_asked_for_once_whichever_word_of_the_request_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    at_every_word(
        &scene,
        "an end",
        async |_| {},
        async |pool, session_id| {
            let request = EndRequest {
                session_id,
                principal: principal("dana", Role::Operator),
                reason: Some("INC-7".to_owned()),
                trace: None,
            };
            Ok(end_session(&pool, &request).await?)
        },
        async |session| jobs(scene.pool(), session, "terminate_session").await,
    )
    .await;
}

#[tokio::test]
async fn what_the_platform_took_is_given_back_once_whichever_word_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    at_every_word(
        &scene,
        "a compensation",
        async |session| {
            bring(scene.pool(), session, &RUNNING).await;
            interrupt(scene.pool(), session).await;
        },
        async |pool, session| {
            let given = Compensation {
                actor: dana(),
                reason: "INC-7".to_owned(),
            };
            compensate_session(&pool, session, &given).await?;
            Ok(())
        },
        async |session| {
            let mut conn = scene.pool().acquire().await.unwrap();
            let debt = Debt::of(&mut conn, session).await.unwrap();
            let sums = (debt.owed_seconds, debt.given_seconds, debt.due_seconds);
            let times = extensions(&mut conn, session).await.unwrap().len();
            assert_eq!(sums, if times == 0 { (10, 0, 10) } else { (10, 10, 0) });
            times
        },
    )
    .await;
}

#[tokio::test]
async fn a_sweep_is_held_up_and_signed_for_whichever_word_of_the_request_is_lost() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    at_every_word(
        &scene,
        "a pause",
        async |_| {
            let fresh = "DELETE FROM schedules WHERE name = 'sweep_stuck';
                 INSERT INTO schedules (name, every, last_tick_at, last_worker, is_pausable)
                 VALUES ('sweep_stuck', interval '5 s', now(), gen_random_uuid(), true)";
            let made = sqlx::raw_sql(AssertSqlSafe(fresh.to_owned()));
            made.execute(scene.pool()).await.unwrap();
        },
        async |pool, _| {
            let by = JobAction {
                actor: "staff:dana".to_owned(),
                reason: Some("INC-7".to_owned()),
            };
            let mut conn = pool.acquire().await?;
            Ok(pause_schedule(&mut conn, "sweep_stuck", MINUTE, &by).await?)
        },
        async |_| {
            let mut conn = scene.pool().acquire().await.unwrap();
            let all = list_schedules(&mut conn).await.unwrap();
            let held_up = all.iter().find(|it| it.name == "sweep_stuck").unwrap();
            usize::from(held_up.disabled_by.as_deref() == Some("staff:dana"))
        },
    )
    .await;
}

fn dana() -> Actor {
    Actor::Staff(UserId::parse("dana").unwrap())
}

fn principal(user: &str, role: Role) -> Principal {
    Principal {
        user_id: UserId::parse(user).unwrap(),
        role,
        login_id: LoginId::new("tests"),
    }
}

/// A page's attempt to attach, with a fresh ticket of its candidate.
async fn attempt(pool: &PgPool, session_id: ExamSessionId) -> anyhow::Result<AttachAttempt> {
    let mut transaction = pool.begin().await?;
    let session = load_session(&mut transaction, session_id).await?;
    let candidate = principal(session.unwrap().user_id.as_str(), Role::Candidate);
    let grant = TicketGrant {
        session_id,
        user_id: candidate.user_id.clone(),
        login_id: candidate.login_id.clone(),
        origin: "http://127.0.0.1".to_owned(),
    };
    let ticket = issue_ticket(&mut transaction, &grant).await?;
    transaction.commit().await?;
    Ok(AttachAttempt {
        session_id,
        principal: candidate,
        origin: grant.origin,
        ticket: ticket.secret,
        page: None,
        held: None,
        process_id: TerminalProcessId::generate(),
        can_record: true,
        trace: None,
    })
}

/// A restart of the terminal process took ten seconds, half an hour ago.
async fn interrupt(pool: &PgPool, session: ExamSessionId) {
    let mut conn = pool.acquire().await.unwrap();
    let login = LoginId::new("l");
    for code in [Some(CloseCode::Restart), None] {
        let process = TerminalProcessId::generate();
        let epoch = take_epoch(&mut conn, session, process, &login, None).await;
        let epoch = epoch.unwrap();
        let opened = open_attachment(&mut conn, session, epoch, Duration::ZERO);
        opened.await.unwrap();
        if let Some(code) = code {
            let closed = close_attachment(&mut conn, session, epoch, code, Duration::ZERO);
            closed.await.unwrap();
        }
    }
    let began = "UPDATE exam_sessions
                 SET running_at = running_at - interval '1 h', version = version + 1
                 WHERE id = $id";
    change(pool, session, began).await;
    let ran = "UPDATE terminal_attachments a
               SET attached_at = s.running_at + interval '120 s' * (a.epoch - 1),
                   opened_at = s.running_at + interval '120 s' * (a.epoch - 1),
                   seen_at = s.running_at + interval '120 s' * a.epoch - interval '10 s',
                   detached_at = CASE WHEN a.close_code IS NOT NULL
                                 THEN s.running_at + interval '120 s' * a.epoch - interval '10 s' END
               FROM exam_sessions s WHERE s.id = a.session_id AND s.id = $id";
    change(pool, session, ran).await;
}
