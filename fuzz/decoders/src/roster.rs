//! The roster, which operators take from each other.

use std::path::Path;

use server::config::{ConfigError, Roster, RosterServer};

use crate::check_line;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Roster::parse(text, Path::new("roster.toml")) {
        Ok(roster) => taken(&roster),
        Err(error) => refused(&error, text),
    }
}

fn taken(roster: &Roster) {
    let servers = roster.servers();
    assert!((2..=16).contains(&servers.len()));
    assert!(servers.is_sorted_by(|one, next| one.name < next.name));
    for server in servers {
        check_line(&server.name);
        check_line(&server.endpoint);
        assert!(server.identity.is_usable() && !server.name.is_empty());
        assert_eq!(roster.get(&server.name), Some(server));
        assert_eq!(roster.by_pin(&server.tls), Some(server), "one server of a TLS key");
        assert_eq!(roster.by_identity(&server.identity), Some(server), "one server of a key");
    }
    let again = Roster::parse(&roster.to_toml(), Path::new("roster.toml"));
    assert_eq!(again.expect("what was written"), *roster);
    hashed(roster);
}

/// Servers find out by the hash whether they have the same roster: it says everything but where they
/// are reached.
fn hashed(roster: &Roster) {
    let moved = |server: &RosterServer| RosterServer {
        endpoint: "https://localhost:1".into(),
        ..server.clone()
    };
    let moved: Vec<_> = roster.servers().iter().rev().map(moved).collect();
    let moved = Roster::try_from(moved).expect("the same servers");
    assert_eq!(moved.hash(), roster.hash());
    for place in 0..roster.servers().len() {
        let mut servers = roster.servers().to_vec();
        servers[place].tls.0[31] ^= 1;
        let is_another = |other: Roster| other.hash() != roster.hash();
        assert!(Roster::try_from(servers.clone()).is_ok_and(is_another), "another pin");
        servers = roster.servers().to_vec();
        servers[place].name.push('-');
        // Where a server of that name is there already, it is none.
        assert!(Roster::try_from(servers.clone()).map_or(true, is_another), "another name");
        servers.remove(place);
        assert!(Roster::try_from(servers).is_ok_and(is_another), "a server less");
    }
}

fn refused(error: &ConfigError, text: &str) {
    check_line(&error.to_string());
    let at = match error {
        ConfigError::Syntax { at, .. }
        | ConfigError::Value { at, .. }
        | ConfigError::Duplicate { at, .. } => at,
        other => panic!("another error: {other}"),
    };
    let lines = text.lines().count() + 1;
    assert!((1..=lines).contains(&at.line) && at.column >= 1, "{}:{}", at.line, at.column);
}
