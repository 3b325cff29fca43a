//! Reload: takes up a renewed certificate, and a changed list of revoked ones, while the server serves.
//!
//! The files are looked at again and again: that works on every file system, and whatever replaced
//! them. Files that cannot be used change nothing, and are tried again until they can.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use proto::pin::{day, refusal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Credentials, Facts, Revoked, TlsIdentity, credentials::RenewalError};
use crate::{clock::Clock, config};

/// How often the files, and the certificates of open connections, are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Where the certificate, its key, and the list of revoked ones are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The server's configuration, for `[tls] revoked`.
    pub config: PathBuf,
}

/// What tells that a file was replaced or written to.
type Stamp = Option<(u64, u64, i64, i64)>;

/// Looks at the files until `stop`, and at once when `now` says so.
pub async fn keep(
    files: Files,
    credentials: Arc<Credentials>,
    clock: Clock,
    now: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut reload = Reload::new(files, credentials, clock);
    loop {
        let at_once = tokio::select! {
            () = tokio::time::sleep(LOOK) => false,
            () = now.notified() => true,
            () = stop.cancelled() => return,
        };
        // The files are small, and the disk may be slow all the same.
        let looked = tokio::task::spawn_blocking(move || {
            reload.look(at_once);
            reload
        });
        match looked.await {
            Ok(looked) => reload = looked,
            Err(error) => {
                tracing::error!(%error, "certificates are not looked at any more: restart the server");
                return;
            }
        }
    }
}

struct Reload {
    files: Files,
    credentials: Arc<Credentials>,
    clock: Clock,
    /// What the files were when they were last taken up.
    certificate: [Stamp; 2],
    config: Stamp,
    /// What was said of files that cannot be used, so that it is said once.
    trouble: [Option<String>; 2],
    /// Whether it was said that this server's own certificate is out of date.
    is_out_of_date: bool,
}

impl Reload {
    fn new(files: Files, credentials: Arc<Credentials>, clock: Clock) -> Self {
        // What changed since the configuration was read is found by the first look: nothing is
        // noted as taken up yet.
        let (certificate, config, trouble) = ([None; 2], None, [None, None]);
        Self { files, credentials, clock, certificate, config, trouble, is_out_of_date: false }
    }

    fn look(&mut self, at_once: bool) {
        // Stamps are taken first: what is written while the files are read is found the next time.
        let certificate = [stamp(&self.files.certificate), stamp(&self.files.key)];
        if at_once || certificate != self.certificate {
            let renewed = self.renew();
            if renewed.is_ok() {
                self.certificate = certificate;
            }
            let text = "the TLS certificate cannot be taken up, and the former one stays";
            say(&mut self.trouble[0], renewed, text);
        }
        let config = stamp(&self.files.config);
        if at_once || config != self.config {
            let revoked = config::revoked(&self.files.config);
            // Half of a list would accept the others again: what is written to now is read later.
            if stamp(&self.files.config) == config {
                if let Ok(revoked) = &revoked {
                    self.revoke(revoked.clone());
                    self.config = config;
                }
                let text = "[tls] revoked cannot be read, and the former list stays";
                say(&mut self.trouble[1], revoked, text);
            }
        }
        self.end_connections();
    }

    /// Shows what the files hold, if it can be shown.
    fn renew(&self) -> Result<(), RenewalError> {
        let own = TlsIdentity::load(&self.files.certificate, &self.files.key)?;
        let certificate = self.files.certificate.display().to_string();
        let shown = self.credentials.facts();
        if own.pin() != shown.pin {
            let (listed, own) = (shown.pin, own.pin());
            return Err(RenewalError::OtherKey { certificate, listed, own });
        }
        let tls = |cause| RenewalError::Tls { certificate: certificate.clone(), cause };
        let facts = own.facts().map_err(|_| tls(rustls::CertificateError::BadEncoding.into()))?;
        if facts.fingerprint == shown.fingerprint {
            return Ok(());
        }
        if let Some(error) = facts.out_of_date(self.now_s()) {
            let why = refusal(&error.into()).unwrap_or_default();
            return Err(RenewalError::OutOfDate { certificate, why });
        }
        self.credentials.renew(&own).map_err(tls)?;
        let until = day(facts.not_after);
        tracing::info!(certificate, until, "a renewed TLS certificate is shown from now on");
        Ok(())
    }

    fn now_s(&self) -> i64 {
        i64::try_from(self.clock.now_ms() / 1_000).unwrap_or(i64::MAX)
    }

    fn revoke(&self, revoked: Revoked) {
        let count = revoked.len();
        if self.credentials.revoke(revoked) {
            tracing::info!(count, "certificates are revoked ([tls] revoked)");
        }
    }

    /// Ends what may not be open any more: what was revoked, and what has expired.
    fn end_connections(&mut self) {
        let (credentials, now_s) = (&self.credentials, self.now_s());
        let is_to_end = |facts: &Facts| credentials.objection(facts, now_s).is_some();
        for facts in credentials.live().end_if(is_to_end) {
            let peer = credentials.name(&facts.pin).unwrap_or("a server");
            let why = credentials.objection(&facts, now_s).and_then(|why| refusal(&why.into()));
            tracing::warn!(peer, why = why.unwrap_or_default(), "a connection was ended");
        }
        let own = credentials.facts().out_of_date(now_s);
        if own.is_some() && !self.is_out_of_date {
            let certificate = self.files.certificate.display().to_string();
            tracing::error!(
                certificate,
                until = day(credentials.facts().not_after),
                "this server's certificate is out of date, and everybody refuses it: repeat \
                 `sotto certs new` with the same arguments; it is taken up without a restart"
            );
        }
        self.is_out_of_date = own.is_some();
    }
}

/// Says what is wrong, once.
fn say<T, E: std::fmt::Display>(said: &mut Option<String>, done: Result<T, E>, what: &str) {
    let trouble = done.err().map(|error| error.to_string());
    if let Some(error) = trouble.as_ref().filter(|_| *said != trouble) {
        tracing::warn!(%error, "{what}");
    }
    *said = trouble;
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        certs::{Authority, ServerKeys},
        config::{Roster, RosterServer, TLS_CERTIFICATE, TLS_KEY},
    };

    const NOW_S: u64 = 1_800_000_000;
    const DAY_S: u64 = 24 * 60 * 60;

    /// A server with its files, and a place where certificates over the same key are made.
    struct Site {
        directory: tempfile::TempDir,
        authority: Authority,
        reload: Reload,
    }

    impl Site {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let place = directory.path();
            let authority = Authority::open_or_create(place, NOW_S).unwrap();
            let keys = make(&authority, &place.join("alpha"), NOW_S);
            let (certificate, key) = (place.join("alpha/tls.pem"), place.join("alpha/tls.key"));
            let own = TlsIdentity::load(&certificate, &key).unwrap();
            let entry = RosterServer {
                name: "alpha".into(),
                endpoint: "https://localhost:1".into(),
                identity: keys.identity,
                tls: keys.tls,
            };
            let roster = Roster::try_from(vec![entry]).unwrap();
            let credentials = Credentials::new(&own, &roster, Default::default()).unwrap();
            let files = Files { certificate, key, config: place.join("server.toml") };
            let reload = Reload::new(files, credentials, Clock::new(|| NOW_S * 1_000));
            Self { directory, authority, reload }
        }

        /// A certificate of `unix_s` over the server's key, or over another one.
        fn another(&self, unix_s: u64, is_same_key: bool) -> String {
            let next = tempfile::tempdir_in(self.directory.path()).unwrap();
            if is_same_key {
                fs::copy(&self.reload.files.key, next.path().join(TLS_KEY)).unwrap();
            }
            make(&self.authority, next.path(), unix_s);
            fs::read_to_string(next.path().join(TLS_CERTIFICATE)).unwrap()
        }

        fn look_at(&mut self, certificate: &str) -> Option<String> {
            fs::write(&self.reload.files.certificate, certificate).unwrap();
            self.reload.look(false);
            self.reload.trouble[0].clone()
        }

        fn shown(&self) -> [u8; 32] {
            self.reload.credentials.facts().fingerprint
        }
    }

    fn make(authority: &Authority, directory: &Path, unix_s: u64) -> ServerKeys {
        let names = [String::from("localhost")];
        authority.server(directory, "alpha", &names, unix_s, &mut rand::rng()).unwrap()
    }

    #[test]
    fn what_cannot_be_used_changes_nothing_and_is_named_until_it_can() {
        let mut site = Site::new();
        let first = site.shown();
        let renewed = site.another(NOW_S, true);
        let (half, _) = renewed.split_at(renewed.len() / 2);
        let unusable = [
            (half.to_owned(), "tls.pem: this is not a certificate"),
            (String::new(), "tls.pem: this is not a certificate"),
            (site.another(NOW_S, false), "tls.pem"),
            (site.another(NOW_S - 400 * DAY_S, true), "expired on"),
            (site.another(NOW_S + 400 * DAY_S, true), "valid from"),
        ];
        for (text, what) in unusable {
            let trouble = site.look_at(&text).unwrap();
            assert!(trouble.contains(what), "{trouble}");
            assert_eq!(site.shown(), first, "{what}");
        }
        assert_eq!(site.look_at(&renewed), None);
        assert_ne!(site.shown(), first);
        fs::remove_file(&site.reload.files.certificate).unwrap();
        site.reload.look(true);
        assert!(site.reload.trouble[0].as_ref().unwrap().contains("tls.pem"));
    }

    #[test]
    fn a_new_key_waits_for_the_rosters() {
        let mut site = Site::new();
        let (first, next) = (site.shown(), site.directory.path().join("next"));
        make(&site.authority, &next, NOW_S);
        fs::copy(next.join(TLS_KEY), &site.reload.files.key).unwrap();
        let certificate = fs::read_to_string(next.join(TLS_CERTIFICATE)).unwrap();
        let trouble = site.look_at(&certificate).unwrap();
        assert!(trouble.contains("roster"), "{trouble}");
        assert_eq!(site.shown(), first);
    }
}
