//! Headers: what a browser is told to refuse on our behalf, and whose requests are refused here.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::refusal::Refusal;

/// Sent with everything. Nothing foreign is loaded, framed, or told where its visitor came from.
pub const ALWAYS: [(HeaderName, HeaderValue); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        HeaderValue::from_static("require-corp"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), \
             gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
        ),
    ),
];

/// For what may be told to one page only, or is of this moment.
pub const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// For files whose names change with what is in them.
pub const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Refuses a request that was not meant for this host, or comes from another site's page.
///
/// A name that is not ours may be one that somebody has pointed at this machine, so that their
/// page has the same origin; nobody can do that with an address.
pub fn check_source(name: &str, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let host = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST).and_then(|host| host.to_str().ok()),
    };
    let host = host.ok_or(Refusal::WrongHost)?;
    if !is_ours(name, host) {
        return Err(Refusal::WrongHost);
    }
    match headers.get(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if is_origin_of(host, origin) => Ok(()),
        Some(_) => Err(Refusal::WrongOrigin),
    }
}

/// Whether a page may have called us this: our name, this machine, or any address.
fn is_ours(name: &str, host: &str) -> bool {
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
    let called = authority.host();
    let address = called.strip_prefix('[').and_then(|called| called.strip_suffix(']'));
    let is_address = address.unwrap_or(called).parse::<std::net::IpAddr>().is_ok();
    let is_plain = !authority.as_str().contains('@');
    is_plain
        && (is_address
            || called.eq_ignore_ascii_case(name)
            || called.eq_ignore_ascii_case("localhost"))
}

fn is_origin_of(host: &str, origin: &HeaderValue) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("https://"));
    // A browser leaves the usual port out of both.
    origin.is_some_and(|origin| {
        origin.eq_ignore_ascii_case(host.strip_suffix(":443").unwrap_or(host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(host: &str, origin: Option<&str>) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let uri = Uri::from_static("/api/join");
        check_source("class.example", &uri, &headers).map_err(|refusal| refusal.kind())
    }

    #[test]
    fn the_links_that_the_host_shows_are_its_own() {
        for host in ["class.example:8443", "Class.Example", "192.168.1.2:1", "[::1]:8443"] {
            assert_eq!(checked(host, None), Ok(()));
            assert_eq!(checked(host, Some(&format!("https://{host}"))), Ok(()), "{host}");
        }
        assert_eq!(checked("localhost:443", Some("https://localhost")), Ok(()));
    }

    #[test]
    fn a_name_that_somebody_points_at_this_host_is_refused() {
        for host in ["evil.example", "class.example.evil.example:8443", "a@192.168.1.2", ""] {
            assert_eq!(checked(host, None), Err("host"), "{host}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        for origin in [
            "https://evil.example",
            "http://class.example:8443",
            "https://class.example:9",
            "https://class.example",
            "null",
        ] {
            assert_eq!(checked("class.example:8443", Some(origin)), Err("origin"), "{origin}");
        }
    }
}
