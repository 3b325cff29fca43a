//! What an operator looks at: where metrics are, and where spans go.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use toml::Spanned;
use tonic::transport::Uri;

use super::{ConfigError, source::Source};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMetrics {
    listen: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTracing {
    otlp: Option<Spanned<String>>,
}

impl RawMetrics {
    /// Where metrics are served: to this machine or its own network, because anybody who can connect
    /// can read them.
    pub(super) fn check(&self, source: &Source) -> Result<Option<SocketAddr>, ConfigError> {
        let Some(listen) = &self.listen else { return Ok(None) };
        let parsed = listen.get_ref().parse::<SocketAddr>().ok();
        let address = parsed.filter(|address| !is_public(address.ip())).ok_or_else(|| {
            let rule = "an address of this machine or of its own network and a port, like \
                        \"127.0.0.1:9464\": metrics have no password";
            source.value(listen, "metrics.listen", rule)
        })?;
        Ok(Some(address))
    }
}

impl RawTracing {
    /// The collector of spans, if they are exported.
    pub(super) fn check(&self, source: &Source) -> Result<Option<String>, ConfigError> {
        let Some(otlp) = &self.otlp else { return Ok(None) };
        let is_collector = |uri: &Uri| {
            let is_local = uri.host().is_some_and(|host| {
                let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
                address.is_ok_and(|address| !is_public(address)) || address_is_named(host)
            });
            uri.scheme_str() == Some("http")
                && uri.port_u16().is_some_and(|port| port != 0)
                && matches!(uri.path(), "" | "/")
                && uri.query().is_none()
                && is_local
        };
        match otlp.get_ref().parse::<Uri>().is_ok_and(|uri| is_collector(&uri)) {
            true => Ok(Some(otlp.get_ref().clone())),
            false => {
                let rule = "a collector that speaks OTLP over gRPC, http://HOST:PORT, on this machine \
                            or in its own network, like \"http://127.0.0.1:4317\"";
                Err(source.value(otlp, "tracing.otlp", rule))
            }
        }
    }
}

/// A name, of which only its resolver knows where it leads.
fn address_is_named(host: &str) -> bool {
    host.parse::<IpAddr>().is_err() && !host.starts_with('[')
}

/// Whether the whole internet can reach an address. All addresses of a machine at once (0.0.0.0, as
/// in a container) are not refused; the server warns of them.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // 100.64.0.0/10, which providers and private networks share.
            let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || is_shared)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                !(v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_the_internet_reaches_are_public() {
        for public in ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:db8::1", "::ffff:1.1.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        let own = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "0.0.0.0"];
        let more = ["100.64.0.1", "::1", "::", "fd00::1", "fe80::1", "::ffff:10.0.0.1"];
        for own in own.into_iter().chain(more) {
            assert!(!is_public(own.parse().unwrap()), "{own}");
        }
    }
}
