//! Credentials: the keys that a host or a pupil makes when it starts and forgets when it ends.

use std::sync::Arc;

use mpc::sign::Signer;
use proto::pin::Pin;
use rand::CryptoRng;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::NoServerSessionStorage,
    version::TLS13,
};

use super::error::RingError;

/// The only application protocol spoken here.
const ALPN: &[u8] = b"h2";

/// A TLS key with a certificate that nobody but its pin vouches for, and a key for signatures.
#[derive(Debug)]
pub struct Credentials {
    /// What the others know of the TLS key.
    pub pin: Pin,
    /// For slips and announcements.
    pub signer: Signer,
    /// For the listener.
    pub tls: Arc<ServerConfig>,
}

impl Credentials {
    /// Makes new keys. The TLS key is drawn by rcgen from the system's randomness.
    pub fn make(rng: &mut impl CryptoRng) -> Result<Self, RingError> {
        // The name means nothing: the pin counts, and it alone.
        let made = rcgen::generate_simple_self_signed(vec!["sotto-ring".to_owned()])
            .map_err(|error| RingError::Tls(error.to_string()))?;
        let certificate: CertificateDer<'static> = made.cert.into();
        let unusable = |error: &dyn std::fmt::Display| RingError::Tls(error.to_string());
        let pin = Pin::of(&certificate).map_err(|error| unusable(&error))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(&error))?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(|error| unusable(&error))?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        tls.send_tls13_tickets = 0;
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { pin, signer: Signer::generate(rng), tls: Arc::new(tls) })
    }
}
