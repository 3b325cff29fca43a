//! Abort: what the servers' reports say of a study that a lie has ended, put together for people.

use serde::Serialize;

use crate::status::{Overview, Report, State};

/// How a study was aborted, in the words of its servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Abort {
    /// What each server found by itself.
    pub found: Vec<Found>,
    /// Servers that know of the abort from another one.
    pub told: Vec<Told>,
    /// Servers of the study that are accused by a server that found a lie. Only the record proves it.
    pub accused: Vec<String>,
    /// Servers that give out the record, which is the evidence.
    pub evidence: Vec<String>,
    /// Servers that give out a result that all servers signed, all the same.
    pub published: Vec<String>,
}

/// What one server found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The server.
    pub server: String,
    /// What it says.
    pub what: String,
    /// Whom it accuses.
    pub accused: Vec<String>,
}

/// Who told whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The server that was told.
    pub server: String,
    /// The server that told it.
    pub by: String,
}

impl Overview {
    /// How the study was aborted, if a server says that it was.
    pub fn abort(&self) -> Option<Abort> {
        let mut abort = Abort::default();
        let aborted = self.servers.iter().filter(|report| report.state == State::Aborted);
        for report in aborted.clone() {
            match self.told_by(report) {
                Some(by) => abort.told.push(Told { server: report.server.clone(), by }),
                None => {
                    let is_server = |name: &&String| {
                        self.definition.servers().iter().any(|server| server.name == **name)
                    };
                    let accused: Vec<String> =
                        report.waits_for.iter().filter(is_server).cloned().collect();
                    abort.accused.extend(accused.clone());
                    let (server, what) = (report.server.clone(), report.detail.clone());
                    abort.found.push(Found { server, what, accused });
                }
            }
        }
        abort.accused.sort();
        abort.accused.dedup();
        // The record of a server that is accused is the last that one would ask for.
        let mut evidence: Vec<_> = aborted.filter(|report| report.record).collect();
        evidence.sort_by_key(|report| abort.accused.contains(&report.server));
        abort.evidence = evidence.into_iter().map(|report| report.server.clone()).collect();
        let published = self.servers.iter().filter(|report| report.state == State::Published);
        abort.published = published.map(|report| report.server.clone()).collect();
        (!abort.found.is_empty() || !abort.told.is_empty()).then_some(abort)
    }

    /// The server that a report repeats.
    fn told_by(&self, report: &Report) -> Option<String> {
        let servers = self.definition.servers().iter().map(|server| &server.name);
        let told = |name: &&String| report.detail.starts_with(&format!("{name} aborted the study"));
        servers.filter(|name| **name != report.server).find(told).cloned()
    }
}

#[cfg(test)]
mod tests {
    use mpc::sign::Signer;
    use study::{Study, StudyContext, StudyServer};

    use super::*;

    const STUDY: &str = "title = \"t\"\n[[column]]\nname = \"a\"\ntype = \"boolean\"\n\
                         [[statistic]]\nname = \"s\"\nkind = \"share\"\nof = \"a\"\n";

    fn report(server: &str, state: State, detail: &str, accused: &[&str]) -> Report {
        Report {
            server: server.into(),
            state,
            detail: detail.into(),
            waits_for: accused.iter().map(|name| (*name).to_owned()).collect(),
            submissions: 0,
            records: 0,
            verified: 0,
            rejected: 0,
            share_bytes: 0,
            charged: 0,
            record: state == State::Aborted,
        }
    }

    fn overview(servers: Vec<Report>) -> Overview {
        let key = |seed| Signer::from_seed(&[seed; 32]).public();
        let available = [("alpha", 1), ("beta", 2), ("gamma", 3)]
            .map(|(name, seed)| StudyServer { name: name.into(), identity: key(seed) });
        let context = StudyContext { available: &available, analyst: key(4), nonce: [7; 16] };
        let definition = Study::from_file(STUDY, "t.toml", context).unwrap();
        Overview {
            id: definition.id(),
            title: definition.title().into(),
            state: State::Aborted,
            servers,
            unreachable: Vec::new(),
            definition,
        }
    }

    #[test]
    fn who_found_a_lie_and_who_was_told_of_it_are_kept_apart() {
        let lie = "beta opened another result share than it committed to";
        let told = format!("gamma aborted the study: {lie}");
        let overview = overview(vec![
            report("alpha", State::Aborted, &told, &["gamma"]),
            report("beta", State::Closing, "", &[]),
            report("gamma", State::Aborted, lie, &["beta"]),
        ]);
        let abort = overview.abort().unwrap();
        assert_eq!(abort.accused, ["beta"]);
        assert_eq!(abort.told, [Told { server: "alpha".into(), by: "gamma".into() }]);
        assert_eq!(abort.found.len(), 1);
        assert_eq!((abort.found[0].server.as_str(), abort.found[0].what.as_str()), ("gamma", lie));
        assert_eq!(abort.evidence, ["alpha", "gamma"]);
    }

    #[test]
    fn the_record_of_an_accused_server_comes_last() {
        let overview = overview(vec![
            report("alpha", State::Aborted, "gamma lied", &["gamma"]),
            report("gamma", State::Aborted, "alpha lied", &["alpha"]),
            report("beta", State::Aborted, "alpha lied", &["alpha"]),
        ]);
        assert_eq!(overview.abort().unwrap().evidence, ["beta", "alpha", "gamma"]);
    }

    #[test]
    fn nobody_is_accused_who_is_no_server_of_the_study() {
        let overview = overview(vec![report("alpha", State::Aborted, "delta lied", &["delta"])]);
        assert!(overview.abort().unwrap().accused.is_empty());
    }

    #[test]
    fn a_study_that_goes_on_has_no_abort() {
        assert_eq!(overview(vec![report("alpha", State::Open, "", &[])]).abort(), None);
    }
}
