//! What a study costs, for people: sizes and times of a record, and every statistic's part.

use client::cost::{StatisticCost, StudyCost, SubmissionCost};
use comfy_table::CellAlignment;

use super::{counted, table, wrapped};

/// What is in the figures and what is not.
const NOTE: &str = "\
sent: public part, share and signature; beside them what gRPC and TLS add.
CPU: encoding, shares, proofs and signatures of random records, on one core of
this machine; beside it files, network and storage.";
const SAVES: &str = "\
saves: what the study would cost less without this statistic alone; bytes are
those to the first server, CPU goes by multiplications.";

/// The cost of a study.
pub fn cost(cost: &StudyCost) -> String {
    [facts(cost), submissions(cost), NOTE.into(), statistics(cost), SAVES.into()].join("\n\n")
}

fn facts(cost: &StudyCost) -> String {
    let record = cost.record;
    let number = |count: usize, thing| counted(count as u64, thing);
    let (wires, bits) = (number(record.wires, "field element"), number(record.bits, "bit"));
    let products = number(record.products, "product");
    let facts = [
        ("servers", format!("{}: {}", cost.servers.len(), cost.servers.join(", "))),
        ("one record", format!("{wires}: {bits}, {products}")),
        ("coordinates", format!("{} over all records", number(record.coordinates, "sum"))),
        (
            "submission",
            format!("{} by default", counted(cost.records_per_submission.into(), "record")),
        ),
        ("receipt", format!("{} bytes from each server, per submission", cost.receipt_bytes)),
    ];
    let lines = facts.map(|(name, value)| format!("{name:<11}  {value}"));
    format!("{}\n\n{}", cost.title, lines.join("\n"))
}

/// The figures of one record by the size of its submission.
fn submissions(cost: &StudyCost) -> String {
    type Figure = fn(&SubmissionCost) -> String;
    let figures: [(&str, Figure); 6] = [
        ("sent to the first server", |cost| bytes(cost.bytes_per_record.first_server)),
        ("sent to each other server", |cost| bytes(cost.bytes_per_record.other_server)),
        ("from each server to each other", |cost| bytes(cost.bytes_per_record.between_servers)),
        ("CPU at the provider", |cost| micros(cost.cpu_us_per_record.provider)),
        ("CPU at the first server", |cost| micros(cost.cpu_us_per_record.first_server)),
        ("CPU at each other server", |cost| micros(cost.cpu_us_per_record.other_server)),
    ];
    let rows = figures.into_iter().map(|(name, figure)| {
        let figures = cost.submissions.iter().map(figure);
        [name.to_owned()].into_iter().chain(figures).collect()
    });
    let header = cost.submissions.iter().map(|cost| format!("in submissions of {}", cost.records));
    let header: Vec<_> = ["each record".to_owned()].into_iter().chain(header).collect();
    table(&header.iter().map(String::as_str).collect::<Vec<_>>(), 1, rows)
}

fn statistics(cost: &StudyCost) -> String {
    let header = ["statistic", "kind", "sums", "shared", "saves sums", "bytes", "CPU"];
    let mut table = wrapped(&header, cost.statistics.iter().map(statistic));
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

fn statistic(cost: &StatisticCost) -> Vec<String> {
    let saves = match cost.saves {
        Some(saves) => [
            saves.coordinates.to_string(),
            format!("{:.1} B", saves.bytes_per_record),
            format!("{:.1} %", saves.cpu_percent),
        ],
        None => ["all", "all", "all"].map(str::to_owned),
    };
    let used = [cost.sums, cost.shared].map(|sums| sums.to_string());
    [cost.name.clone(), cost.kind.clone()].into_iter().chain(used).chain(saves).collect()
}

fn bytes(bytes: f64) -> String {
    match bytes < 10_000.0 {
        true => format!("{bytes:.1} B"),
        false => format!("{:.1} kB", bytes / 1e3),
    }
}

fn micros(micros: f64) -> String {
    match micros < 10_000.0 {
        true => format!("{micros:.1} µs"),
        false => format!("{:.1} ms", micros / 1e3),
    }
}
