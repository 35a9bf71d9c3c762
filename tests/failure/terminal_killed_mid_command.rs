//! The terminal process dies while a command prints and a candidate types.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use system_tests::terminal::Terminal;
use system_tests::wait::{SOON, until};
use system_tests::{Candidate, TestSystem};

const KILLS: usize = 3;
/// Long enough to be an interruption.
const AWAY: Duration = Duration::from_secs(2);
const LINES: u32 = 4000;
/// Lines typed before, between and after the kills.
const TYPED: usize = 120;

#[tokio::test]
async fn killed_three_times_it_loses_and_doubles_no_byte_in_either_direction() {
    let mut system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-1").await;
    let door = system.door(&candidate);
    let mut terminal = system.attach(&candidate).await;

    // Output and input at once: numbered lines on the screen, and a file that takes what is typed.
    // Without echo, so that neither is mixed into the other.
    terminal.type_line("stty -echo; PS1=").await;
    let print = format!("for i in $(seq 1 {LINES}); do echo n-$i-$((i*i)); sleep 0.001; done");
    terminal
        .type_line(&format!("({print}; echo printed-$((6*7))) & cat > ~/typed"))
        .await;
    terminal.expect("n-20-400").await;

    let mut typed = String::new();
    for _ in 0..KILLS {
        typed += &type_lines(&mut terminal).await;
        system.terminal.kill();
        // Typed into the dead connection: it is kept, and sent again.
        typed += &type_lines(&mut terminal).await;
        let dropped = terminal.drop_connection();
        tokio::time::sleep(AWAY).await;
        system.terminal.start_again();
        system.await_ready().await;
        terminal = Terminal::resume(&door, dropped)
            .await
            .expect("resuming is allowed");
        assert!(
            !terminal.replay.is_some_and(|replay| replay.truncated),
            "the ring held it all"
        );
        terminal.read_for(Duration::from_millis(300)).await;
    }
    typed += &type_lines(&mut terminal).await;
    terminal
        .read_until("all input has arrived", SOON, Terminal::input_arrived)
        .await;

    terminal.expect("printed-42").await;
    let printed = terminal.numbered("n-");
    let expected: Vec<String> = (1..=LINES).map(|i| format!("n-{i}-{}", i * i)).collect();
    assert_eq!(printed.len(), expected.len());
    assert_eq!(
        hash(&printed.join("\n")),
        hash(&expected.join("\n")),
        "no line lost or doubled"
    );

    // End of file, then the shell's own account of what it was given.
    terminal.type_text("\u{4}").await;
    terminal
        .type_line("sha256sum ~/typed | cut -c1-64; wc -c < ~/typed")
        .await;
    terminal
        .expect(&format!("{}\r\n{}\r\n", hash(&typed), typed.len()))
        .await;
    system.assert_invariants().await;
    drop(terminal);
    assert_the_kills_are_charged_to_the_platform(&system, &candidate).await;
}

/// A death is known by silence, which a sweep presumes after 45 s and asks for every 10.
async fn assert_the_kills_are_charged_to_the_platform(system: &TestSystem, candidate: &Candidate) {
    let explain = ["sessions", "explain", &candidate.session_id];
    until("every death is known", SOON * 2, async || {
        let attachments = data(system, &explain).await["attachments"].clone();
        let attachments = attachments.as_array().expect("a list");
        let over = attachments.iter().filter(|it| !it["detached_at"].is_null());
        (over.count() == KILLS + 1).then_some(())
    })
    .await;
    let compensate = ["sessions", "compensate", &candidate.session_id];
    let debt = &data(system, &compensate).await["debt"];
    let told = debt["interruptions"].as_array().expect("a list").iter();
    let (ours, theirs): (Vec<_>, Vec<_>) = told.partition(|it| it["charged_to"] == "platform");
    // On a busy machine a start may take so long that nobody was there at all.
    let deaths = ours.iter().filter(|it| it["cause"] == "process_lost");
    assert_eq!(deaths.count(), KILLS, "{debt:#}");
    assert!(
        theirs.iter().all(|it| it["cause"] == "going_away"),
        "{debt:#}"
    );
    let owed = &debt["owed_seconds"];
    let given = [
        &compensate[..],
        &["--apply", "--as", "dana", "--reason", "INC-7"],
    ]
    .concat();
    let given = data(system, &given).await;
    assert_eq!(given["result"]["outcome"], "granted", "{given:#}");
    assert_eq!(given["debt"]["given_seconds"], *owed);
}

async fn data(system: &TestSystem, arguments: &[&str]) -> Value {
    let printed = system.carrel(arguments).await;
    let document: Value = serde_json::from_str(&printed).expect("one document");
    document["data"].clone()
}

/// Types random lines, and returns them as the shell should have them.
async fn type_lines(terminal: &mut Terminal) -> String {
    let mut typed = String::new();
    for _ in 0..TYPED {
        let line = format!("{:032x}", rand::random::<u128>());
        terminal.type_line(&line).await;
        typed += &line;
        typed.push('\n');
    }
    typed
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
