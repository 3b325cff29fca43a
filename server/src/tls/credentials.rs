//! Credentials: the certificate that a server shows, and those of its peers that it accepts no more.
//! Both are replaced while it serves.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use proto::pin::{Judge, refusal};
use rustls::{
    CertificateError, SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Facts, IdentityError, Pin, TlsIdentity, live::Live};
use crate::config::Roster;

/// A peer that is refused is named in the log at most this often.
const QUIET: Duration = Duration::from_secs(60);

/// Hashes of what is not accepted any more: pins of keys, or fingerprints of certificates.
pub type Revoked = BTreeSet<[u8; 32]>;

/// What is shown to others and what is believed of them, now. New connections ask for it; those that
/// are open keep the certificate that they began with, until it is out of date or revoked.
pub struct Credentials {
    shown: RwLock<Shown>,
    revoked: RwLock<Arc<Revoked>>,
    /// The peers' names by their pins, for the log.
    names: HashMap<Pin, String>,
    refused: Mutex<HashMap<Pin, Instant>>,
    /// The open connections with peers.
    live: Live,
}

#[derive(Clone)]
struct Shown {
    key: Arc<CertifiedKey>,
    facts: Facts,
}

impl Credentials {
    /// Those of a server that starts.
    pub fn new(
        own: &TlsIdentity,
        roster: &Roster,
        revoked: Revoked,
    ) -> Result<Arc<Self>, rustls::Error> {
        let peers = roster.servers().iter().map(|server| (server.tls, server.name.clone()));
        Ok(Arc::new(Self {
            shown: RwLock::new(Shown::of(own)?),
            revoked: RwLock::new(Arc::new(revoked)),
            names: peers.collect(),
            refused: Mutex::default(),
            live: Live::default(),
        }))
    }

    /// Those that stay as they are.
    pub fn fixed(own: &TlsIdentity) -> Result<Arc<Self>, rustls::Error> {
        let (revoked, names) = (RwLock::default(), HashMap::new());
        let (shown, refused) = (RwLock::new(Shown::of(own)?), Mutex::default());
        Ok(Arc::new(Self { shown, revoked, names, refused, live: Live::default() }))
    }

    /// What is to be known of the certificate that is shown.
    pub fn facts(&self) -> Facts {
        self.shown().facts
    }

    /// Shows another certificate from now on, over the same key.
    pub fn renew(&self, own: &TlsIdentity) -> Result<(), rustls::Error> {
        let renewed = Shown::of(own)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    /// Accepts these no more; those that were revoked before and are not among them are accepted
    /// again. `false`: they are the same as before.
    pub fn revoke(&self, revoked: Revoked) -> bool {
        let mut now = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = **now != revoked;
        *now = Arc::new(revoked);
        is_new
    }

    /// The open connections with peers.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The name of the peer with this key.
    pub fn name(&self, pin: &Pin) -> Option<&str> {
        self.names.get(pin).map(String::as_str)
    }

    /// Why a connection with this certificate may not be open, at `now_s`.
    pub fn objection(&self, facts: &Facts, now_s: i64) -> Option<CertificateError> {
        match self.is_revoked(facts) {
            true => Some(CertificateError::Revoked),
            false => facts.out_of_date(now_s),
        }
    }

    fn shown(&self) -> Shown {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refusals(&self) -> MutexGuard<'_, HashMap<Pin, Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn of(own: &TlsIdentity) -> Result<Self, rustls::Error> {
        let key = super::provider().key_provider.load_private_key(own.reveal_key())?;
        let key = CertifiedKey::new(own.chain().to_vec(), key);
        key.keys_match()?;
        let facts = own.facts().map_err(|_| CertificateError::BadEncoding)?;
        Ok(Self { key: Arc::new(key), facts })
    }
}

impl Judge for Credentials {
    fn is_revoked(&self, facts: &Facts) -> bool {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        revoked.contains(&facts.pin.0) || revoked.contains(&facts.fingerprint)
    }

    fn refused(&self, facts: &Facts, why: &CertificateError) {
        let now = Instant::now();
        let mut refusals = self.refusals();
        let said = refusals.get(&facts.pin);
        let is_quiet = said.is_some_and(|before| now.duration_since(*before) < QUIET);
        if !is_quiet {
            refusals.insert(facts.pin, now);
            let peer = self.name(&facts.pin).unwrap_or("a server");
            let why = refusal(&rustls::Error::InvalidCertificate(why.clone())).unwrap_or_default();
            tracing::warn!(peer, why, "a certificate over the peer's key was refused");
        }
    }
}

impl ResolvesServerCert for Credentials {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown().key)
    }
}

impl ResolvesClientCert for Credentials {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.shown().key)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.facts().pin)
    }
}

/// Why a renewed certificate is not shown.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// The files cannot be used.
    #[error(transparent)]
    Files(#[from] IdentityError),
    /// The key is another one.
    #[error(
        "{certificate}: it is over the key {own}, and the roster pins {listed} for this server: \
         restore the key, or give the new roster to all servers and start them again"
    )]
    OtherKey {
        /// The certificate file.
        certificate: String,
        /// The pin in the roster.
        listed: Pin,
        /// The pin of the file.
        own: Pin,
    },
    /// Peers would refuse it.
    #[error("{certificate}: {why}")]
    OutOfDate {
        /// The certificate file.
        certificate: String,
        /// What is wrong with its dates.
        why: String,
    },
    /// TLS cannot use it.
    #[error("{certificate}: {cause}")]
    Tls {
        /// The certificate file.
        certificate: String,
        /// What TLS says.
        cause: rustls::Error,
    },
}
