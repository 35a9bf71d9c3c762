//! Sessions: request, read, follow, end, extend.

pub(super) mod create;
mod document;
pub(super) mod events;
pub(super) mod extend;
pub(super) mod recording;
pub(super) mod show;
pub(super) mod terminate;
