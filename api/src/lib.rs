#![doc = include_str!("../README.md")]

mod access;
mod app;
mod args;
mod boundary;
mod config;
mod docs;
mod extract;
mod hints;
mod openapi;
mod page;
mod page_files;
mod problem;
mod problem_code;
mod process;
mod readiness;
mod reason;
mod request_context;
mod routes;
mod security_headers;
mod service_gauges;
mod state;
mod status_stream;
mod unmatched;
mod use_case_errors;

pub use args::ApiArgs;
pub use config::{ApiConfig, ConfigError};
pub use openapi::document_json;
pub use page_files::PageError;
pub use process::{Api, BuildError, RunError};
