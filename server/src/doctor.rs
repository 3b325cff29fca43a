//! Doctor: looks at everything that a server needs (its files, its database, its peers) from beside
//! it, whether it runs or not, and says what to do about what is wrong.

use std::path::Path;

use proto::checkup::{Finding, HERE};

use crate::config::Config;

mod machine;
mod peers;

/// Looks at the server with the configuration in `file`; changes nothing.
pub async fn doctor(file: &Path) -> Vec<Finding> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => {
            let remedy = "correct it, until `sotto config check` accepts it";
            return vec![Finding::fail(HERE, "configuration", error.to_string(), remedy)];
        }
    };
    let found = format!("{}, one of {}", config.name, config.roster.servers().len());
    let mut findings = vec![
        Finding::ok(HERE, "configuration", found),
        Finding::ok(HERE, "keys", "those of the roster, and closed to others"),
    ];
    findings.extend(machine::findings(&config).await);
    findings.extend(peers::findings(&config).await);
    findings
}
