//! `ingester check`.
use super::options::{Check, Told};
pub(super) async fn run(_: &Told, _: &Check) -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
