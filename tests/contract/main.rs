//! What holds without running anything.
