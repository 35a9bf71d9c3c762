//! The protocol as it is, and as it would be with one known fault.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// What this crate does.
    Sound,
    /// Fault F4: a run's writes name the worker and not the run, as `apalis-postgres` acknowledges.
    FencedByName,
    /// Fault F1: a running job is given up only when no worker of its owner's name is alive, whatever
    /// its lease: a restart under the same name keeps the dead run's job for ever.
    OrphansByName,
    /// Fault F2: crashes are counted, and the count is compared with nothing.
    NoCrashLimit,
    /// Fault F7: an answer that failed once is not sent again, while the heartbeat goes on.
    AnswerGivenUp,
    /// A sweeper reads which leases have run out, and later makes those ids ready again.
    RescuedById,
    /// The attempt is the token. A snooze gives the attempt back, so two runs bear the same.
    AttemptAsToken,
    /// Calls to the outside bear the run's token as their key, so each run makes its own.
    EffectsKeyedByRun,
}
