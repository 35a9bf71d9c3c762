//! What a recorded waiver changes about a judgement.

use super::{IsolationGap, Protection};

impl Protection {
    /// Whether operators may decide to do without its proof.
    ///
    /// Only the network: some clusters cannot hold it off, and that is known before. Anything else
    /// that is missing is a fault of this environment.
    pub const fn is_waivable(self) -> bool {
        matches!(self, Self::NoNetwork)
    }
}

/// Names the protection whose waiver would let an environment with these gaps be used; `None`
/// when there is no gap, or one that no waiver covers.
pub fn needed_waiver(gaps: &[IsolationGap]) -> Option<Protection> {
    let (first, others) = gaps.split_first()?;
    let same = others.iter().all(|gap| gap.protection == first.protection);
    (first.protection.is_waivable() && same).then_some(first.protection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(protection: Protection) -> IsolationGap {
        IsolationGap {
            protection,
            expected: String::new(),
            found: String::new(),
        }
    }

    #[test]
    fn only_a_missing_proof_of_the_network_alone_can_be_waived() {
        for protection in Protection::ALL {
            let needed = needed_waiver(&[gap(protection)]);
            let waivable = protection == Protection::NoNetwork;
            assert_eq!(needed, waivable.then_some(protection), "{protection}");
            let both = [gap(Protection::NoNetwork), gap(protection)];
            assert_eq!(needed_waiver(&both).is_some(), waivable, "{protection}");
        }
        assert_eq!(needed_waiver(&[]), None);
    }
}
