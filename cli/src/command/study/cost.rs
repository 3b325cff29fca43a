//! `sotto study cost`: what a study would cost, before anyone joins it.

use std::path::PathBuf;

use client::{ClientError, cost};

use super::Global;
use crate::{failure::Failure, report, terminal::Terminal};

pub async fn cost(global: &Global, file: PathBuf, servers: Option<usize>) -> Result<(), Failure> {
    let profile = match servers {
        Some(_) => None,
        None => global.profile_if_any()?,
    };
    let study = cost::read(&file, profile.as_ref(), servers)?;
    let terminal = Terminal::new("cost");
    // In a thread of its own: it computes and never waits.
    let measured = tokio::task::spawn_blocking(move || {
        let cost = cost::cost(&study, &terminal);
        terminal.clear();
        cost
    });
    let cost = measured.await.map_err(|_| ClientError::WorkerFailed)??;
    global.format().print(&cost, report::cost)
}
