//! Many candidates at once, each with a canary in their environment: every foreign pair is tried at
//! every door, and no byte of anybody's canary ever appears elsewhere.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::json;

use super::surroundings::Surroundings;
use crate::http::Http;
use crate::logins::Login;
use crate::terminal::{Refused, Terminal, dial};
use crate::wait::STARTUP;
use crate::{Candidate, TestSystem, exams};

const CANDIDATES: usize = 50;
/// Requests under way at once.
const AT_ONCE: usize = 16;
/// What every canary begins with, so that one search finds anybody's.
const CANARY: &str = "canary-";
/// All scans of environments share two processors; seen: a sixth of it.
const SCAN: Duration = Duration::from_secs(6);

/// A candidate at their desk.
struct Desk {
    candidate: Candidate,
    canary: String,
    terminal: Terminal,
}

/// Tells the story of fifty on a system that nobody else uses.
pub async fn tell(system: &TestSystem) {
    let users: Vec<String> = (0..CANDIDATES)
        .map(|number| format!("u-{number}"))
        .collect();
    let requested = users
        .iter()
        .map(|user| system.candidate(user, exams::SAMPLE));
    let requested = stream::iter(requested).buffered(AT_ONCE);
    let candidates: Vec<_> = requested.collect().await;
    for candidate in &candidates {
        system.await_state(candidate, "ready", STARTUP).await;
    }
    tell_of(system, candidates).await;
}

/// Tells the story of all that are on a system, from where their sessions are ready to their end.
pub async fn tell_of(system: &TestSystem, candidates: Vec<Candidate>) {
    let count = candidates.len();
    let mut desks = take_places(system, candidates).await;
    let seated: Vec<Candidate> = desks.iter().map(|desk| desk.candidate.clone()).collect();
    let tried = tokio::select! {
        tried = try_every_foreign_pair(system, &seated) => tried,
        never = keep_reading(&mut desks) => match never {},
    };
    assert_eq!(tried, count * (count - 1));
    let surroundings = Surroundings::of(system, &seated).await;
    let within = SCAN * u32::try_from(count).expect("a few");
    let looks = desks.iter_mut().enumerate();
    let looks = looks.map(|(number, desk)| look_around(desk, surroundings.of_desk(number), within));
    join_all(looks).await;
    for desk in &desks {
        assert_only_own_canary(desk);
    }
    for process in [&system.api, &system.terminal]
        .into_iter()
        .chain(&system.workers)
    {
        assert!(!process.log().contains(CANARY), "a canary is in a log");
    }
    everybody_leaves(system, &desks).await;
}

/// Attaches everybody and leaves a canary with each.
async fn take_places(system: &TestSystem, candidates: Vec<Candidate>) -> Vec<Desk> {
    let seated = candidates
        .into_iter()
        .enumerate()
        .map(|(number, candidate)| async move {
            let canary = format!("{CANARY}{number}-{:032x}", rand::random::<u128>());
            let mut terminal = system.attach(&candidate).await;
            terminal.type_line(&hide(&canary)).await;
            terminal.expect("hidden-42").await;
            Desk {
                candidate,
                canary,
                terminal,
            }
        });
    stream::iter(seated).buffered(4).collect().await
}

/// Files in every writable place, a variable, and the name of a running program.
fn hide(canary: &str) -> String {
    format!(
        "export C={canary}; echo $C | tee ~/c /tmp/c /dev/shm/c >/dev/null; \
         (exec -a $C sleep 900) & disown; echo hidden-$((6*7))"
    )
}

/// Pages answer pings; whoever does not is taken for gone.
async fn keep_reading(desks: &mut [Desk]) -> std::convert::Infallible {
    loop {
        let read = desks
            .iter_mut()
            .map(|desk| desk.terminal.read_for(Duration::from_secs(1)));
        join_all(read).await;
    }
}

/// Tries every door of every other candidate; answers how many pairs were tried.
async fn try_every_foreign_pair(system: &TestSystem, seated: &[Candidate]) -> usize {
    // Every intruder holds a good ticket of their own.
    let tickets = join_all(seated.iter().map(|candidate| async {
        system
            .door(candidate)
            .ticket()
            .await
            .expect("a ticket of one's own")
    }))
    .await;
    let callers: Vec<_> = seated
        .iter()
        .map(|candidate| system.api_as(&candidate.login))
        .collect();
    let pairs = (0..seated.len()).flat_map(|intruder| {
        let others = (0..seated.len()).filter(move |victim| *victim != intruder);
        others.map(move |victim| (intruder, victim))
    });
    let tried = stream::iter(pairs).map(|(intruder, victim)| {
        let (caller, ticket) = (&callers[intruder], &tickets[intruder]);
        let (intruder, victim) = (&seated[intruder], &seated[victim]);
        async move {
            try_the_api(caller, victim).await;
            try_the_terminal(system, intruder, ticket, victim).await;
        }
    });
    tried.buffer_unordered(AT_ONCE).count().await
}

async fn try_the_api(caller: &Http, victim: &Candidate) {
    let path = format!("/v1/sessions/{}", victim.session_id);
    let answers = [
        caller.get(&path).await,
        caller.get(&format!("{path}/events")).await,
        caller.post(&format!("{path}/terminate"), &json!({})).await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 404, "{}", answer.text);
        assert!(!answer.text.contains(CANARY), "{}", answer.text);
        assert!(!answer.text.contains(&victim.login.user), "{}", answer.text);
    }
}

async fn try_the_terminal(
    system: &TestSystem,
    intruder: &Candidate,
    ticket: &str,
    victim: &Candidate,
) {
    let door = system.door(intruder).at_session(&victim.session_id);
    let told = door.ticket().await;
    let Err(Refused::Ticket(404, text)) = told else {
        panic!("a foreign ticket: {told:?}")
    };
    assert!(
        !text.contains(CANARY) && !text.contains(&victim.login.user),
        "{text}"
    );
    // The socket, with a ticket that is good elsewhere.
    let told = Terminal::attach_with(&door, ticket, None).await;
    let Err(Refused::Upgrade(404, text)) = told else {
        panic!("a foreign socket: {told:?}")
    };
    assert!(
        !text.contains(CANARY) && !text.contains(&victim.login.user),
        "{text}"
    );
}

/// Searches everything that can be read inside, and tries what could be reached.
///
/// Whoever refuses a connection was reached too; only silence, or no way at all, is none.
async fn look_around(desk: &mut Desk, (links, places): (usize, String), within: Duration) {
    let script = format!(
        "p='{CANARY}[0-9]+-[0-9a-f]+'; \
         (grep -rahoE $p --devices=skip --exclude-dir={{sys,proc}} /; \
         cat /proc/[0-9]*/{{cmdline,environ}} /proc/net/unix | grep -aoE $p) 2>/dev/null \
         | sort | uniq -c; \
         echo links-$(tail -n +3 /proc/net/dev | grep -vc ' lo:'); \
         for t in {places}; do \
         (s=$(timeout 3 bash -c \": 3<>/dev/tcp/$t\" 2>&1); \
         case $?$s in 0*|*refused*) echo reached-$t;; esac) & \
         done 2>/dev/null; wait; echo looked-$((6*7))"
    );
    desk.terminal.type_line(&script).await;
    desk.terminal
        .expect_within(&format!("links-{links}"), within)
        .await;
    desk.terminal.expect_within("looked-42", within).await;
}

fn assert_only_own_canary(desk: &Desk) {
    let text = String::from_utf8_lossy(desk.terminal.output());
    let (own, user) = (&desk.canary, &desk.candidate.login.user);
    let mut found = 0;
    for (at, _) in text.match_indices(CANARY) {
        let rest = &text[at..];
        if rest.starts_with(own.as_str()) {
            found += 1;
        } else {
            // What was typed to search is echoed, and a long echo is wrapped.
            let is_pattern = rest[CANARY.len()..].starts_with('[');
            let is_wrapped_echo = own.starts_with(rest.split(['\r', ' ']).next().unwrap_or(rest));
            assert!(
                is_pattern || is_wrapped_echo,
                "{user} sees {:?}",
                &rest[..60.min(rest.len())]
            );
        }
    }
    assert!(
        found >= 2,
        "{user}: the search misses what is there:\n{}",
        desk.terminal.tail()
    );
    assert!(
        !text.contains("reached-1"),
        "{user} reached something: {}",
        desk.terminal.tail()
    );
}

async fn everybody_leaves(system: &TestSystem, desks: &[Desk]) {
    let service = Login::service();
    let asked = desks
        .iter()
        .map(|desk| system.terminate(&desk.candidate, &service));
    let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some(answer) = asked.next().await {
        answer.assert_status(202);
    }
    for desk in desks {
        system.await_gone(&desk.candidate, STARTUP).await;
    }
    system.assert_invariants().await;
    let left = system.environments().await;
    assert!(left.is_empty(), "{left:?}");
    // A door that was never opened: no upgrade at all without a login.
    let nobody = Login {
        user: String::new(),
        token: String::new(),
    };
    let door = system.door(&desks[0].candidate).with_login(&nobody);
    assert!(matches!(
        dial(&door, Some(&door.origin)).await,
        Err(Refused::Upgrade(401, _))
    ));
    let read = Http::new(&system.api_url())
        .request(Method::GET, "/v1/sessions")
        .send()
        .await;
    assert!(
        [401, 404, 405].contains(&read.expect("the api answers").status().as_u16()),
        "no list"
    );
}
