//! Page: the built page, which is part of the program, and the picture of its link.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use qrcode::{EcLevel, QrCode, render::svg, render::unicode::Dense1x2};
use rust_embed::Embed;

use super::headers::{IMMUTABLE, NO_STORE};

/// What Vite built from `client/web`.
#[derive(Embed)]
#[folder = "web/dist/"]
struct Built;

/// A file of the page, if there is one.
pub fn file(path: &str) -> Option<Response> {
    let file = Built::get(path)?;
    let (_, extension) = path.rsplit_once('.')?;
    let kind = match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    let is_hashed = path.starts_with("assets/");
    let cache = if is_hashed { IMMUTABLE } else { NO_STORE };
    let body = match file.data {
        std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
        std::borrow::Cow::Owned(bytes) => Body::from(bytes),
    };
    Some(response(kind, cache, body))
}

/// A link as a QR code: the picture for the page.
pub fn qr_picture(link: &str) -> Option<Response> {
    let svg = code(link)?.render::<svg::Color<'_>>().min_dimensions(320, 320).build();
    Some(response("image/svg+xml", NO_STORE, Body::from(svg)))
}

/// A link as a QR code: lines of blocks, for dark letters on a light ground.
pub fn qr_blocks(link: &str) -> Option<String> {
    let code = code(link)?;
    let mut blocks = code.render::<Dense1x2>();
    blocks.dark_color(Dense1x2::Dark).light_color(Dense1x2::Light);
    Some(blocks.build())
}

fn code(link: &str) -> Option<QrCode> {
    QrCode::with_error_correction_level(link, EcLevel::M).ok()
}

fn response(kind: &'static str, cache: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, cache);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://192.168.178.120:8443/#01AV-KMNZ";

    #[test]
    fn the_link_fits_into_a_picture_and_into_a_terminal() {
        assert!(qr_picture(LINK).is_some());
        let blocks = qr_blocks(LINK).unwrap();
        assert!(blocks.lines().count() <= 24, "{blocks}");
        assert!(blocks.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn both_pages_are_in_the_program() {
        for path in ["index.html", "teacher.html"] {
            let response = file(path).unwrap();
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        }
        assert!(file("../Cargo.toml").is_none() && file("").is_none());
    }
}
