//! The numbers the sweeps go by.

use std::time::Duration;

/// Holds the numbers the sweeps go by. Every field is valid by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryPolicy {
    /// How many sessions one sweep ends in one transaction, how many suspects it looks at, and how many
    /// environments it deletes.
    pub batch: i64,
    /// How long an orphan must have been known, by the database's clock, before it may be deleted.
    pub orphan_age: Duration,
    /// This many orphans are always believable, however short the list.
    pub orphan_floor: usize,
    /// Beyond the floor: this share of the listed environments, in percent.
    pub orphan_percent: usize,
}

impl Default for ExpiryPolicy {
    /// 100 rows keep the transaction in the low milliseconds. 60 s is one period of the orphan
    /// sweep, so the second sighting is the first that can reach it. More than 5 orphans and more
    /// than a tenth of the list is what a restored or wrong database looks like, not leaks.
    fn default() -> Self {
        Self {
            batch: 100,
            orphan_age: Duration::from_mins(1),
            orphan_floor: 5,
            orphan_percent: 10,
        }
    }
}

/// Says what to do with one orphan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphanDecision {
    /// Remember it and look again.
    Quarantine,
    /// Delete it, with its uid as precondition.
    Delete,
}

impl ExpiryPolicy {
    /// Returns how many orphans among `listed` environments are believable.
    pub fn orphan_limit(&self, listed: usize) -> usize {
        self.orphan_floor
            .max(listed.saturating_mul(self.orphan_percent) / 100)
    }

    /// Decides about an orphan first sighted `known_for` ago, by the database's clock; `None` if it
    /// was never sighted before. The runtime's own clock has no say.
    pub fn decide_orphan(&self, known_for: Option<Duration>) -> OrphanDecision {
        match known_for {
            Some(age) if age >= self.orphan_age && !age.is_zero() => OrphanDecision::Delete,
            Some(_) | None => OrphanDecision::Quarantine,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn five_orphans_are_believable_in_a_short_list_and_a_tenth_in_a_long_one() {
        let policy = ExpiryPolicy::default();
        for (listed, limit) in [(0, 5), (5, 5), (59, 5), (60, 6), (100, 10), (3000, 300)] {
            assert_eq!(policy.orphan_limit(listed), limit, "{listed}");
        }
    }

    #[test]
    fn a_first_sighting_never_deletes_even_without_an_age() {
        let policy = ExpiryPolicy {
            orphan_age: Duration::ZERO,
            ..ExpiryPolicy::default()
        };
        assert_eq!(policy.decide_orphan(None), OrphanDecision::Quarantine);
        assert_eq!(
            policy.decide_orphan(Some(Duration::ZERO)),
            OrphanDecision::Quarantine
        );
    }

    proptest! {
        #[test]
        fn an_orphan_once_deletable_stays_so(ms in 0u64..200_000, more in 0u64..200_000) {
            let policy = ExpiryPolicy::default();
            let at = |ms| policy.decide_orphan(Some(Duration::from_millis(ms)));
            prop_assert_eq!(at(ms) == OrphanDecision::Delete, ms >= 60_000);
            if at(ms) == OrphanDecision::Delete {
                prop_assert_eq!(at(ms + more), OrphanDecision::Delete);
            }
        }

        #[test]
        fn the_limit_never_falls_below_the_floor_nor_with_a_longer_list(n in 0usize..1_000_000, more in 0usize..1000) {
            let policy = ExpiryPolicy::default();
            prop_assert!(policy.orphan_limit(n) >= policy.orphan_floor);
            prop_assert!(policy.orphan_limit(n + more) >= policy.orphan_limit(n));
        }
    }
}
