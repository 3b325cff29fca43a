//! Audits for people: what was checked, and what became of a provider's submissions.

use client::{
    audit::{Outcome, Report, Verdict},
    receipt::{Evidence, Fate, ReceiptReport},
};

use super::{counted, table, wrapped};

/// Bytes of a signature that are shown: enough to find it in the evidence.
const SHOWN: usize = 16;

/// The report of an audit.
pub fn audit(report: &Report) -> String {
    let mut text = format!("{}\n{}\n{}\n\n", report.title, report.study, report.says);
    let rows = report.checks.iter().map(|check| {
        let outcome = match check.outcome {
            Outcome::Holds => "holds",
            Outcome::Fails => "FAILS",
            Outcome::Skipped => "skipped",
        };
        vec![check.name.to_owned(), outcome.to_owned(), check.what.clone()]
    });
    text.push_str(&wrapped(&["check", "outcome", "what"], rows).to_string());
    if !report.source.is_empty() {
        text.push_str(&format!("\nthe record came from {}", report.source.join(" and ")));
    }
    if matches!(report.verdict, Verdict::Holds | Verdict::Refused) {
        text.push_str(&format!(
            "\n{} in {}, {} rejected; servers {}",
            counted(report.records, "record"),
            counted(report.submissions, "submission"),
            report.rejected,
            report.servers.join(", "),
        ));
    }
    if let Some(result) = &report.result {
        text.push_str(&format!("\n\n{}", result.statistics.to_table()));
    }
    text
}

/// What became of each submission of a receipts file.
pub fn receipts(report: &ReceiptReport) -> String {
    let mut text = format!("{}\n{}\n", report.title, report.study);
    let rows = report.submissions.iter().map(|one| {
        let fate = match one.fate {
            Fate::Counted => "counted",
            Fate::Rejected => "rejected",
            Fate::Broken => "BROKEN",
            Fate::Unproven => "NOT PROVEN",
        };
        let mut what = match one.proven_by.is_empty() {
            true => one.what.clone(),
            false => format!("proven by {}", one.proven_by.join(", ")),
        };
        if let Some(records) = one.counted_records {
            what.push_str(&format!("; {records} records count, the receipts file says otherwise"));
        }
        if !one.without_receipt.is_empty() {
            what.push_str(&format!("; no valid receipt of {}", one.without_receipt.join(", ")));
        }
        vec![one.submission.clone(), one.records.to_string(), fate.to_owned(), what]
    });
    text.push_str(&table(&["submission", "records", "fate", "why"], usize::MAX, rows));
    text.push_str(&format!(
        "\n{}: {} counted, {} rejected, {} broken",
        counted(report.submissions.len() as u64, "submission"),
        report.counted,
        report.rejected,
        report.broken
    ));
    if report.unproven > 0 {
        text.push_str(&format!(", {} not proven", report.unproven));
    }
    for silent in &report.silent {
        text.push_str(&format!("\nno proof: {silent}"));
    }
    for evidence in &report.evidence {
        text.push_str(&broken(evidence));
    }
    text
}

fn broken(evidence: &Evidence) -> String {
    let Evidence { server, identity, receipt, message, bundle, .. } = evidence;
    let start = |hex: &str| hex.get(..SHOWN).map_or_else(String::new, |start| format!("{start}…"));
    let mut text = format!(
        "\n\n{server} ({identity}) signed both\n  \
         receipt {} for submission {}\n  \
         message {} of step {} in run {}, which does not have it",
        start(&receipt.signature),
        receipt.submission,
        start(&message.signature),
        message.step,
        message.run,
    );
    if let Some(bundle) = bundle {
        text.push_str(&format!(
            "\n  and all submissions under its root: keep the bundle (`sotto result ID --bundle FILE`) with SHA-256 {bundle}"
        ));
    }
    text
}
