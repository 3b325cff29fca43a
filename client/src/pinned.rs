//! The judge of a server's certificate: an authority of the profile, and the profile's own pin.
//!
//! The operators' authorities do not vouch for each other's servers: with the authorities alone,
//! the operator of one server could receive the shares that are meant for another.

use std::sync::{Arc, OnceLock};

use proto::pin::{Facts, Pin};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};

/// The certificate that was accepted first; none before that.
pub type Seen = Arc<OnceLock<Facts>>;

/// Accepts one key, in a certificate that the roots vouch for.
#[derive(Debug)]
pub struct Pinned {
    pin: Pin,
    seen: Seen,
    roots: Arc<WebPkiServerVerifier>,
}

impl Pinned {
    /// The judge for the server with this pin; `roots` is one or more certificates as PEM. The
    /// error says what is wrong with the roots.
    pub fn new(pin: Pin, roots: &[u8]) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(roots) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            store.add(certificate).map_err(|error| error.to_string())?;
        }
        let provider = Arc::new(ring::default_provider());
        let roots = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { pin, seen: Seen::default(), roots })
    }

    /// Where the certificate is noted that this judge accepts first.
    pub fn seen(&self) -> Seen {
        self.seen.clone()
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.roots.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        match Facts::of(end_entity) {
            Ok(facts) if facts.pin == self.pin => {
                // Only the first one is asked for, right after the first connection.
                let _ = self.seen.set(facts);
                Ok(verified)
            }
            Ok(_) => Err(Error::General(
                "the server's TLS key is not the one that the profile's tls pin names".into(),
            )),
            Err(_) => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.supported_verify_schemes()
    }
}
