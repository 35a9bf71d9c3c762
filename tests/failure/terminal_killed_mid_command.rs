//! The terminal process dies while a command prints and a candidate types.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use system_tests::TestSystem;
use system_tests::terminal::Terminal;
use system_tests::wait::SOON;

const KILLS: usize = 3;
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
