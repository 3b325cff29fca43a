//! A study that a lie has ended: which server, which message, where the evidence is, what can be done.

use client::abort::{Abort, Found};
use mpc::ids::StudyId;

/// The report on an aborted study, for people.
pub fn abort(id: StudyId, abort: &Abort) -> String {
    let mut text = match abort.published.as_slice() {
        [] => "\n\nNothing was published, and the servers that say so have deleted their shares.\n"
            .to_owned(),
        servers => format!(
            "\n\nAll the same there is a result that all servers signed: {} gives it out.\n",
            servers.join(", ")
        ),
    };
    text.push_str("\nwhat happened\n");
    for found in &abort.found {
        text.push_str(&format!("  {} says: {}\n", found.server, found.what));
    }
    for told in &abort.told {
        text.push_str(&format!("  {} was told by {}\n", told.server, told.by));
    }
    text.push_str("\nwho\n");
    if abort.accused.is_empty() {
        text.push_str("  no server is named: what was seen does not tell which of them it was\n");
    }
    for accused in &abort.accused {
        let names = |found: &&Found| found.accused.contains(accused);
        let by: Vec<_> =
            abort.found.iter().filter(names).map(|found| found.server.as_str()).collect();
        text.push_str(&format!("  {accused}, according to {}\n", by.join(", ")));
    }
    text.push_str("\nevidence\n");
    match abort.evidence.first() {
        None => text.push_str("  no server that answers has kept what was said\n"),
        Some(server) => text.push_str(&format!(
            "  {} kept what was said, signed. What that proves, and of whom, rests on nobody's word:\n    \
             sotto audit {id} --server {server}\n",
            abort.evidence.join(", ")
        )),
    }
    text.push_str("\nwhat can be done\n");
    text.push_str(match abort.accused.as_slice() {
        [] => {
            "  The operators compare their logs. Create the study again, if need be with other \
             servers;\n  providers submit their records again.\n"
        }
        _ => {
            "  If the audit proves it, show it to the operator: a server that lies is broken, broken \
             into,\n  or dishonest. Create the study again without it; providers submit their \
             records again.\n"
        }
    });
    text
}
