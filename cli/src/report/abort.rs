//! A study that a lie has ended: which server, which message, where the evidence is, what can be done.

use client::abort::Abort;
use mpc::ids::StudyId;

/// The report on an aborted study, for people.
pub fn abort(id: StudyId, abort: &Abort) -> String {
    let mut text = String::from(
        "\n\nNothing was published, and the servers have deleted their shares of the records.\n",
    );
    text.push_str("\nwhat happened\n");
    for found in &abort.found {
        text.push_str(&format!("  {} says: {}\n", found.server, found.what));
    }
    for told in &abort.told {
        text.push_str(&format!("  {} was told by {}\n", told.server, told.by));
    }
    text.push_str("\nwho\n");
    match abort.accused.as_slice() {
        [] => text
            .push_str("  no server is named: what was seen does not tell which of them it was\n"),
        accused => text.push_str(&format!("  {}\n", accused.join(", "))),
    }
    text.push_str("\nevidence\n");
    match abort.evidence.first() {
        None => text.push_str("  no server that answers has kept what was said\n"),
        Some(server) => text.push_str(&format!(
            "  {} kept what was said, signed; this checks it and believes nobody:\n    \
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
            "  Show it to the operator: a server that lies is broken, broken into, or dishonest. Create \
             the\n  study again without it; providers submit their records again.\n"
        }
    });
    text
}
