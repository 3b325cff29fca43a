//! What strangers may use up at one server, and how long it waits for its peers.

use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, source::Source};

/// Bounds on everything that a stranger can make a server hold or do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub connections: u32,
    /// Requests that are being worked on at once.
    pub requests_in_flight: u32,
    /// Calls a second from one network address, on average.
    pub calls_per_second: u32,
    /// Submissions of one study that wait for their verification.
    pub unverified_per_study: u32,
    /// Studies that have not ended.
    pub open_studies: u32,
    /// Seconds that a round of a protocol waits for all servers.
    pub round_seconds: u32,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    connections: Option<Spanned<u64>>,
    requests_in_flight: Option<Spanned<u64>>,
    calls_per_second: Option<Spanned<u64>>,
    unverified_per_study: Option<Spanned<u64>>,
    open_studies: Option<Spanned<u64>>,
    round_seconds: Option<Spanned<u64>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            requests_in_flight: 128,
            calls_per_second: 1_000,
            unverified_per_study: 4_096,
            open_studies: 64,
            round_seconds: 30,
        }
    }
}

impl RawLimits {
    pub(super) fn check(&self, source: &Source) -> Result<Limits, ConfigError> {
        let usual = Limits::default();
        let check = |key, given: &Option<Spanned<u64>>, usual, most: u32| match given {
            None => Ok(usual),
            Some(value) => u32::try_from(*value.get_ref())
                .ok()
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(|| source.value(value, key, format!("a number from 1 to {most}"))),
        };
        Ok(Limits {
            connections: check(
                "limits.connections",
                &self.connections,
                usual.connections,
                100_000,
            )?,
            requests_in_flight: check(
                "limits.requests_in_flight",
                &self.requests_in_flight,
                usual.requests_in_flight,
                10_000,
            )?,
            calls_per_second: check(
                "limits.calls_per_second",
                &self.calls_per_second,
                usual.calls_per_second,
                1_000_000,
            )?,
            unverified_per_study: check(
                "limits.unverified_per_study",
                &self.unverified_per_study,
                usual.unverified_per_study,
                1_000_000,
            )?,
            round_seconds: check(
                "limits.round_seconds",
                &self.round_seconds,
                usual.round_seconds,
                600,
            )?,
            open_studies: check(
                "limits.open_studies",
                &self.open_studies,
                usual.open_studies,
                10_000,
            )?,
        })
    }
}
