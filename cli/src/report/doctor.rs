//! A checkup as a table: what was looked at, how it is, and what to do.

use proto::checkup::{Finding, State};

use super::wrapped;
use crate::command::Checkup;

/// Every finding on lines of its own, the remedy below what was found.
pub fn doctor(checkup: &Checkup) -> String {
    let rows = checkup.checks.iter().map(|finding| {
        let Finding { about, check, state, found, remedy } = finding;
        let what = match remedy {
            Some(remedy) => format!("{found}\n→ {remedy}"),
            None => found.clone(),
        };
        vec![about.clone(), (*check).to_owned(), word(*state).to_owned(), what]
    });
    wrapped(&["of", "check", "state", "found, and what to do"], rows).to_string()
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warn => "warning",
        State::Fail => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_stands_below_what_was_found() {
        let checks = vec![
            Finding::ok("alpha", "clock", "0.001 s ahead"),
            Finding::fail("beta", "connection", "refused", "ask its operator"),
        ];
        let table = doctor(&Checkup::of(checks));
        let lines: Vec<_> = table.lines().collect();
        let row = lines.iter().position(|line| line.contains("beta")).unwrap();
        assert!(lines[row].contains("failed") && lines[row].contains("refused"), "{table}");
        assert!(lines[row + 1].contains("→ ask its operator"), "{table}");
    }
}
