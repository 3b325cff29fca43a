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

#[cfg(test)]
mod tests {
    use client::abort::Told;

    use super::*;

    #[test]
    fn it_says_who_found_what_where_the_evidence_is_and_what_to_do() {
        let what = "beta opened another result share than it committed to".to_owned();
        let accused = vec!["beta".to_owned()];
        let found = Found { server: "gamma".into(), what, accused: accused.clone() };
        let told = Told { server: "alpha".into(), by: "gamma".into() };
        let evidence = vec!["gamma".into()];
        let lie =
            Abort { found: vec![found], told: vec![told], accused, evidence, published: vec![] };
        let id = StudyId([7; 32]);
        let text = abort(id, &lie);
        for line in [
            "  gamma says: beta opened another result share than it committed to\n",
            "  alpha was told by gamma\n",
            "  beta, according to gamma\n",
            &format!("    sotto audit {id} --server gamma\n"),
            "Create the study again without it",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let published = Abort { published: vec!["alpha".into()], ..Abort::default() };
        let text = abort(id, &published);
        assert!(text.contains("alpha gives it out") && text.contains("no server is named"));
    }
}
