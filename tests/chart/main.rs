//! The chart: what it renders, what it refuses and in which words, and the rights it grants.

#![expect(clippy::unwrap_used, reason = "a story that cannot be told has failed")]

mod issuer;
mod pooler;
mod rendered;
mod rights;
mod values;
