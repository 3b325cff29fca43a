//! What a server is doing, by its log at the level debug: the run it is in, and the round.

use std::fmt;

use serde_json::Value;

use super::process::Process;

/// What a server does that was heard of last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// No run is under way.
    Between,
    /// A round of a protocol, from 0.
    Round { protocol: &'static str, round: u64 },
}

/// The protocols, by their names in logs.
const PROTOCOLS: [&str; 3] = ["setup", "verify", "publish"];

impl Phase {
    /// The phase that a process is in.
    pub fn now(process: &Process) -> Self {
        Self::after(&process.stderr_end(16 << 10))
    }

    /// The phase after all that is in a log.
    pub fn after(log: &str) -> Self {
        log.lines().rev().find_map(Self::of_line).unwrap_or(Self::Between)
    }

    /// The phase that begins with a line; none: nothing begins.
    fn of_line(line: &str) -> Option<Self> {
        let message = ["\"start\"", "\"round\"", "\"end\"", "\"no end\""];
        if !message.iter().any(|message| line.contains(message)) {
            return None;
        }
        // The last line may be half written.
        let line: Value = serde_json::from_str(line).ok()?;
        let run = line["spans"].as_array()?.iter().find(|span| span["name"] == "run")?;
        let protocol = PROTOCOLS.into_iter().find(|name| run["protocol"] == *name)?;
        match line["fields"]["message"].as_str()? {
            "start" => Some(Self::Round { protocol, round: 0 }),
            "round" => Some(Self::Round { protocol, round: line["fields"]["round"].as_u64()? + 1 }),
            "end" | "no end" => Some(Self::Between),
            _ => None,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Between => f.pad("between runs"),
            Self::Round { protocol, round } => f.pad(&format!("{protocol}, round {round}")),
        }
    }
}

#[test]
fn a_phase_is_read_from_a_log_whose_last_line_is_half_written() {
    let line = |message: &str, round: u64| {
        format!(
            "{{\"fields\":{{\"message\":\"{message}\",\"round\":{round}}},\
             \"spans\":[{{\"name\":\"run\",\"protocol\":\"publish\"}}]}}\n"
        )
    };
    let round = |round| Phase::Round { protocol: "publish", round };
    let mut log = line("start", 0);
    assert_eq!(Phase::after(&log), round(0));
    log += &line("round", 0);
    log += "{\"fields\":{\"message\":\"round\"";
    assert_eq!(Phase::after(&log), round(1));
    assert_eq!(Phase::after(&(line("round", 1) + &line("end", 0))), Phase::Between);
    assert_eq!(Phase::after(""), Phase::Between);
}
