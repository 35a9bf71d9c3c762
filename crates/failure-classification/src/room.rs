//! What a runtime that refuses for want of room cannot know: whether room is about to come free.

use crate::Signal;

/// What a full quota says and a limit range does not. A creation that is larger than the whole quota
/// says it too: it is waited for in vain until nothing of ours is on its way out any more.
const FULL: &str = "exceeded quota";

impl Signal {
    /// Says of a full quota whether environments of ours are on their way out. Every other signal
    /// stays as it is: no teardown makes a limit range larger.
    #[must_use]
    pub fn with_cleanup_pending(mut self, is_pending: bool) -> Self {
        if let Self::QuotaExceeded {
            message,
            cleanup_pending,
        } = &mut self
            && message.contains(FULL)
        {
            *cleanup_pending = is_pending;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::from_http_answer;

    #[test]
    fn room_may_come_free_in_a_quota_and_never_in_a_limit_range() {
        let waits = |message: &str| {
            let signal = from_http_answer("create", "x", 403, message).with_cleanup_pending(true);
            matches!(
                signal,
                Signal::QuotaExceeded {
                    cleanup_pending: true,
                    ..
                }
            )
        };
        assert!(waits(
            "pods \"x\" is forbidden: exceeded quota: exams, used: pods=30"
        ));
        assert!(!waits(
            "pods \"x\" is forbidden: maximum memory usage per Pod is 1Gi"
        ));
        assert!(!waits("violates PodSecurity"));
    }
}
