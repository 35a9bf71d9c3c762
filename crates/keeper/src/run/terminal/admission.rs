use std::io;

use carrel_keeper::frames::{KeeperFrame, Open, Opened, RefusalCode, Superseded, WindowSize};

use super::Terminal;
use crate::run::client::Client;
use crate::run::handshake::Handshake;
use crate::run::input::InputQueue;
use crate::run::ring::OutputRing;
use crate::run::shell::Shell;

impl Terminal {
    /// Decides about a stream's OPEN: fences, starts a shell where none lives, replays.
    pub(in crate::run) fn admit(&mut self, handshake: Handshake) {
        let Handshake {
            socket,
            decoder,
            open,
        } = handshake;
        if open.epoch < self.highest_epoch {
            let message = format!("attach epoch {} has been seen", self.highest_epoch);
            self.turn_away(socket, RefusalCode::StaleEpoch, message);
            return;
        }
        let is_same_attach = self.highest_epoch == open.epoch;
        self.highest_epoch = open.epoch;
        self.close_client(Some(KeeperFrame::Superseded(Superseded {
            epoch: open.epoch,
        })));
        // Fenced, or sent again by its owner from `in_off`.
        self.input.discard();
        if let Err(error) = self.ensure_shell(&open, is_same_attach) {
            self.turn_away(socket, RefusalCode::ShellFailed, error.to_string());
            return;
        }
        self.hold = None;
        let opened = self.opened(&open);
        let mut client = Client::new(socket, decoder, opened.replay_from, opened.in_off);
        client.say(&KeeperFrame::Opened(opened));
        self.client = Some(client);
    }

    /// Starts a shell unless one lives, or `open` resumes one that died and has not had all of it.
    fn ensure_shell(&mut self, open: &Open, is_same_attach: bool) -> io::Result<()> {
        let size = WindowSize {
            cols: open.cols,
            rows: open.rows,
        };
        let resumed = open
            .resume
            .filter(|resume| resume.shell_epoch == self.shell_epoch);
        // Whoever stood between may have taken the end and died before it was passed on. EXIT alone may
        // be lost as well: an attach that has had it opens nothing again. A newer attach at the very end
        // may be a page's of the release before, which asks for a new shell in this way.
        let has_more = |from: u64| !self.exit_told || is_same_attach || from < self.ring.end();
        match (&self.shell, self.exit) {
            (Some(shell), None) => shell.resize(size),
            (Some(_), Some(_)) if resumed.is_some_and(|it| has_more(it.out_off)) => {
                self.exit_told = false;
            }
            _ => {
                self.shell = Some(Shell::start(&self.args, size)?);
                self.shell_epoch += 1;
                self.ring = OutputRing::default();
                self.input = InputQueue::default();
                self.exit = None;
                self.exit_told = false;
            }
        }
        Ok(())
    }

    fn opened(&self, open: &Open) -> Opened {
        let resume = open
            .resume
            .filter(|resume| resume.shell_epoch == self.shell_epoch);
        let wanted = resume.map_or(0, |resume| resume.out_off);
        let held = self.ring.start()..=self.ring.end();
        let replay_from = if held.contains(&wanted) {
            wanted
        } else {
            self.ring.start()
        };
        Opened {
            shell_epoch: self.shell_epoch,
            out_off: self.ring.end(),
            in_off: self.input.written(),
            replay_from,
            truncated: replay_from != wanted,
            alive: self.exit.is_none(),
        }
    }
}
