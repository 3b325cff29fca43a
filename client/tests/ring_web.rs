//! A class with browsers, over real HTTPS: what a host does for pupils who follow the rules, for
//! pupils who do not, and for strangers.

// Clippy knows the functions marked as tests, and not those that they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "ring_web/browser.rs"]
mod browser;
#[path = "ring_web/class.rs"]
mod class;
#[path = "ring_web/lessons.rs"]
mod lessons;
#[path = "ring_web/seal.rs"]
mod seal;
#[path = "ring_web/site.rs"]
mod site;
#[path = "ring_web/strangers.rs"]
mod strangers;
#[path = "ring_web/traffic.rs"]
mod traffic;
