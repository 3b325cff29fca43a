//! `sotto ring host --web`: the same class with a page, for pupils with a phone.

use super::{Global, host::Host};
use crate::failure::Failure;

/// Serves the page until the class ends.
pub async fn run(host: Host, global: &Global) -> Result<(), Failure> {
    let _ = (host, global);
    Err(Failure::Ring("the page is not built yet".into()))
}
