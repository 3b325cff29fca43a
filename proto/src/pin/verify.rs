//! Certificates judged by pins, by their dates, and by what a judge knows besides.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{Facts, Pin};

/// Knows of certificates over pinned keys what neither pin nor dates say, and hears of those that
/// were refused.
pub trait Judge: fmt::Debug + Send + Sync {
    /// Whether the certificate, or its key, is not to be accepted any more.
    fn is_revoked(&self, facts: &Facts) -> bool;

    /// A certificate over a pinned key was refused. Whoever showed it has not proved yet that the key
    /// is theirs.
    fn refused(&self, facts: &Facts, why: &CertificateError);
}

/// Nothing is known.
impl Judge for () {
    fn is_revoked(&self, _: &Facts) -> bool {
        false
    }

    fn refused(&self, _: &Facts, _: &CertificateError) {}
}

/// Lets clients in that show no certificate, or one over a pinned key.
#[derive(Debug)]
pub struct PinnedClients {
    pins: Vec<Pin>,
    judge: Arc<dyn Judge>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Accepts the server with one pinned key, under whatever name it is reached.
#[derive(Debug)]
pub struct PinnedServer {
    /// How its pin begins.
    pin: Vec<u8>,
    judge: Arc<dyn Judge>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinnedClients {
    /// Those clients; signatures are checked with the provider's algorithms.
    pub fn new(pins: Vec<Pin>, provider: &CryptoProvider) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { pins, judge: Arc::new(()), algorithms }
    }

    /// The same, asking `judge` about each of them.
    pub fn judged_by(self, judge: Arc<dyn Judge>) -> Self {
        Self { judge, ..self }
    }
}

impl PinnedServer {
    /// That server; signatures are checked with the provider's algorithms.
    pub fn new(pin: Pin, provider: &CryptoProvider) -> Self {
        Self::starting_with(&pin.0, provider)
    }

    /// The server whose pin begins so. How many bytes are enough is the caller's business.
    pub fn starting_with(start: &[u8], provider: &CryptoProvider) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { pin: start.to_vec(), judge: Arc::new(()), algorithms }
    }

    /// The same, asking `judge` about its certificate.
    pub fn judged_by(self, judge: Arc<dyn Judge>) -> Self {
        Self { judge, ..self }
    }
}

impl ClientCertVerifier for PinnedClients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        check(end_entity, |pin| self.pins.contains(pin), &*self.judge, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        check(end_entity, |pin| pin.0.starts_with(&self.pin), &*self.judge, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn check(
    certificate: &CertificateDer<'_>,
    is_pinned: impl FnOnce(&Pin) -> bool,
    judge: &dyn Judge,
    now: UnixTime,
) -> Result<(), Error> {
    let facts = Facts::of(certificate).map_err(|_| CertificateError::BadEncoding)?;
    if !is_pinned(&facts.pin) {
        return Err(CertificateError::ApplicationVerificationFailure.into());
    }
    let revoked = judge.is_revoked(&facts).then_some(CertificateError::Revoked);
    let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    match revoked.or_else(|| facts.out_of_date(now_s)) {
        None => Ok(()),
        Some(why) => {
            judge.refused(&facts, &why);
            Err(why.into())
        }
    }
}
