#![doc = include_str!("../README.md")]

mod check;
mod cli;
mod engine;
#[cfg(test)]
mod eventually;
mod failure;
mod http;
mod images;
mod keeper;
mod kube;
mod packages;
mod page;
mod postgres;
mod process_group;
mod process_identity;
mod settings;
mod shell;
mod sqlx;
mod stop;
mod suites;
mod test;
mod up;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let outcome = cli::Xtask::parse().run();
    outcome.unwrap_or_else(|error| {
        shell::print_failure(&error);
        ExitCode::FAILURE
    })
}
