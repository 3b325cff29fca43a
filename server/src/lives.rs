//! Lives: before anything is said in a run, servers tell each other how far their databases have come.
//!
//! A server that was given an older copy of its database has forgotten what it signed and
//! acknowledged since. Its peers have not: each remembers how far every other server's database was
//! when it was last met, with that server's own signature, so that none can make it up. A server that
//! is shown to be behind says so, takes nothing in, and takes part in nothing.

use std::{collections::HashMap, sync::Arc};

use mpc::{
    dst,
    sign::{BadSignature, PublicKey, Signature, Signer},
};
use proto::{
    convert::field,
    v1::{self, peers_client::PeersClient},
};
use tokio::sync::watch;
use tonic::{Request, Status, transport::Channel};

use crate::{
    clock::Clock,
    config::Config,
    peers::MEET,
    storage::{Life, Sighting, Storage, StorageError},
};

/// What a server says of its database, and what it has heard of the others'.
pub struct Lives {
    name: String,
    storage: Arc<dyn Storage>,
    signer: Signer,
    clock: Clock,
    keys: HashMap<String, PublicKey>,
    behind: watch::Sender<Option<Behind>>,
}

/// This server's database is behind what it has said of it before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name}'s database is an old copy: {peer} saw {theirs} transactions {ago}, and it has {ours}"
)]
pub struct Behind {
    /// The server with that database.
    pub name: String,
    /// Who has seen more of it.
    pub peer: String,
    /// When, in words.
    pub ago: String,
    /// Transactions that were seen then.
    pub theirs: u64,
    /// Transactions that are in it.
    pub ours: u64,
}

/// Why two servers do not work together.
#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    /// One of the two has an old backup.
    #[error("{0}: restore the newest")]
    Behind(Behind),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A word that does not hold.
    #[error("it says of a database what is not signed")]
    Signature(#[from] BadSignature),
    /// A word that is none.
    #[error("it does not say how far its database has come")]
    Malformed,
    /// The call failed.
    #[error("{}", crate::peers::reason(.0))]
    Call(Box<Status>),
}

impl Lives {
    /// What the server of this configuration says of the database `storage`.
    pub fn new(config: &Config, storage: Arc<dyn Storage>, clock: Clock) -> Self {
        let servers = config.roster.servers().iter();
        Self {
            name: config.name.clone(),
            storage,
            signer: config.identity.clone(),
            clock,
            keys: servers.map(|server| (server.name.clone(), server.identity)).collect(),
            behind: watch::channel(None).0,
        }
    }

    /// Whether this server was shown to be behind, now and whenever that changes.
    pub fn behind(&self) -> watch::Receiver<Option<Behind>> {
        self.behind.subscribe()
    }

    /// Answers a peer that says how far it has come.
    pub async fn answer(
        &self,
        peer: &str,
        request: &v1::MeetRequest,
    ) -> Result<v1::MeetResponse, LifeError> {
        let theirs = self.sighting(peer, request.life.as_ref())?;
        let sighted = self.storage.sight(theirs).await?;
        if sighted.is_another {
            tracing::warn!(%peer, "the peer has begun with another database: it has forgotten the \
                studies that it took part in; those that have not ended wait until they are cancelled");
        }
        let furthest = sighted.furthest;
        Ok(v1::MeetResponse {
            life: Some(self.mine().await?),
            seen: Some(word(furthest.life, furthest.signature)),
            seen_ms: furthest.seen_ms,
        })
    }

    /// Tells `peer` how far this server has come, and requires that neither is behind.
    pub async fn meet(
        &self,
        peer: &str,
        mut client: PeersClient<Channel>,
    ) -> Result<(), LifeError> {
        let key = *self.keys.get(peer).ok_or(LifeError::Malformed)?;
        // What is known before the question: answers may overtake each other.
        let known = self.storage.sightings(key).await?;
        let mut request = Request::new(v1::MeetRequest { life: Some(self.mine().await?) });
        request.set_timeout(MEET);
        let answer = client.meet(request).await;
        let answer = answer.map_err(|status| LifeError::Call(Box::new(status)))?.into_inner();
        self.compare(peer, &answer).await?;
        let theirs = self.sighting(peer, answer.life.as_ref())?;
        let of_theirs = |known: &&Sighting| known.life.identity == theirs.life.identity;
        match known.iter().find(of_theirs).filter(|known| known.life.age > theirs.life.age) {
            Some(known) => Err(LifeError::Behind(Behind {
                name: peer.to_owned(),
                peer: self.name.clone(),
                ago: ago(self.clock.now_ms(), known.seen_ms),
                theirs: known.life.age,
                ours: theirs.life.age,
            })),
            None => Ok(()),
        }
    }

    /// Requires that the peer has not seen more of this server's database than is in it.
    async fn compare(&self, peer: &str, answer: &v1::MeetResponse) -> Result<(), LifeError> {
        let seen = answer.seen.as_ref();
        let (seen, _) = heard(seen, &self.signer.public())?;
        // What it has now: another meeting may have told the peer of more than this one did.
        let mine = self.storage.life().await?;
        if seen.identity != mine.identity || seen.age <= mine.age {
            return Ok(());
        }
        let behind = Behind {
            name: self.name.clone(),
            peer: peer.to_owned(),
            ago: ago(self.clock.now_ms(), answer.seen_ms),
            theirs: seen.age,
            ours: mine.age,
        };
        tracing::error!(
            "{behind}. This server takes nothing in and takes part in nothing. Stop it, and restore the \
             newest backup of sotto.db. If there is none that is new enough, move sotto.db, sotto.db-wal \
             and sotto.db-shm away and start with an empty database, which the other servers accept; \
             then have the studies that it took part in cancelled at another server"
        );
        self.behind.send_if_modified(|known| {
            let is_news = known.is_none();
            known.get_or_insert_with(|| behind.clone());
            is_news
        });
        Err(LifeError::Behind(behind))
    }

    async fn mine(&self) -> Result<v1::Life, StorageError> {
        let life = self.storage.life().await?;
        Ok(signed(life, &self.signer))
    }

    fn sighting(&self, peer: &str, life: Option<&v1::Life>) -> Result<Sighting, LifeError> {
        let key = *self.keys.get(peer).ok_or(LifeError::Malformed)?;
        let (life, signature) = heard(life, &key)?;
        Ok(Sighting { peer: key, life, signature, seen_ms: self.clock.now_ms() })
    }
}

/// A server's own word.
pub fn signed(life: Life, signer: &Signer) -> v1::Life {
    let parts: [&[u8]; 2] = [&life.identity, &life.age.to_be_bytes()];
    word(life, signer.sign(dst::LIFE, &parts))
}

/// What a word says that `key` has signed.
pub fn heard(word: Option<&v1::Life>, key: &PublicKey) -> Result<(Life, Signature), LifeError> {
    let word = word.ok_or(LifeError::Malformed)?;
    let identity = word.identity[..].try_into().map_err(|_| LifeError::Malformed)?;
    let signature = field("signature", &word.signature).map_err(|_| LifeError::Malformed)?;
    // Beyond it no database can count.
    if i64::try_from(word.age).is_err() {
        return Err(LifeError::Malformed);
    }
    let life = Life { identity, age: word.age };
    let parts: [&[u8]; 2] = [&life.identity, &life.age.to_be_bytes()];
    key.verify(dst::LIFE, &parts, &signature)?;
    Ok((life, signature))
}

fn word(life: Life, signature: Signature) -> v1::Life {
    v1::Life {
        identity: life.identity.to_vec().into(),
        age: life.age,
        signature: signature.0.to_vec().into(),
    }
}

/// How long ago something was, for people.
pub fn ago(now_ms: u64, then_ms: u64) -> String {
    match now_ms.saturating_sub(then_ms) / 1000 {
        seconds @ ..120 => format!("{seconds} s ago"),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_for_its_server_its_database_and_its_age_alone() {
        let (alpha, beta) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let life = Life { identity: [7; 16], age: 9 };
        let said = signed(life, &alpha);
        assert_eq!(heard(Some(&said), &alpha.public()).expect("holds").0, life);
        assert!(matches!(heard(Some(&said), &beta.public()), Err(LifeError::Signature(_))));
        let older = v1::Life { age: 8, ..said.clone() };
        assert!(matches!(heard(Some(&older), &alpha.public()), Err(LifeError::Signature(_))));
        let other = v1::Life { identity: vec![8; 16].into(), ..said.clone() };
        assert!(matches!(heard(Some(&other), &alpha.public()), Err(LifeError::Signature(_))));
        for malformed in [
            v1::Life { identity: vec![7; 15].into(), ..said.clone() },
            v1::Life { signature: vec![0; 63].into(), ..said.clone() },
            v1::Life { age: u64::MAX, ..said },
        ] {
            let heard = heard(Some(&malformed), &alpha.public());
            assert!(matches!(heard, Err(LifeError::Malformed)));
        }
        assert!(matches!(heard(None, &alpha.public()), Err(LifeError::Malformed)));
    }

    #[test]
    fn a_time_is_said_in_words() {
        let cases =
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 days")];
        for (seconds, words) in cases {
            assert_eq!(ago(seconds * 1000, 0), format!("{words} ago"));
        }
        assert_eq!(ago(0, 5_000), "0 s ago", "a clock that was put back");
    }
}
