//! Live: the open connections with peers, which end when a certificate is not accepted any more.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use proto::ending::End;
use tokio_util::sync::CancellationToken;

use super::Facts;

/// The open connections, each with the certificate that the peer showed.
#[derive(Debug, Default)]
pub struct Live(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    facts: Facts,
    /// Gone when the connection is.
    end: Weak<CancellationToken>,
}

impl Live {
    /// Notes a connection; it is noted for as long as the answer is kept, which tells its end.
    pub fn enter(&self, facts: Facts) -> End {
        let token = Arc::new(CancellationToken::new());
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What has ended makes room, so that the list is as long as there are connections.
        entries.retain(|entry| entry.end.strong_count() > 0);
        entries.push(Entry { facts, end: Arc::downgrade(&token) });
        Box::pin(async move { token.cancelled().await })
    }

    /// Ends the connections whose certificates are to end; returns those certificates.
    pub fn end_if(&self, is_to_end: impl Fn(&Facts) -> bool) -> Vec<Facts> {
        let mut ended = Vec::new();
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| match entry.end.upgrade() {
            None => false,
            Some(end) if is_to_end(&entry.facts) => {
                end.cancel();
                ended.push(entry.facts);
                false
            }
            Some(_) => true,
        });
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Pin;

    fn facts(pin: u8) -> Facts {
        Facts { pin: Pin([pin; 32]), fingerprint: [pin; 32], not_before: 0, not_after: 100 }
    }

    #[tokio::test]
    async fn only_what_is_to_end_ends_and_what_is_gone_is_forgotten() {
        let live = Live::default();
        let (stays, ends) = (live.enter(facts(1)), live.enter(facts(2)));
        drop(live.enter(facts(2)));
        assert_eq!(live.end_if(|facts| facts.pin.0[0] == 2), [facts(2)]);
        ends.await;
        assert!(futures::poll!(stays).is_pending());
        assert!(live.end_if(|_| true).is_empty(), "nothing is open any more");
    }
}
