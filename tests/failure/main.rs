//! One file per fault; each ends with the invariants.
