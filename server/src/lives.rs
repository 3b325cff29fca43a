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
    storage::{Life, Moment, Sighting, Start, Storage, StorageError},
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

/// A database has forgotten what its server has said of it before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}'s database is an old copy: it has forgotten what {peer} saw of it {ago}")]
pub struct Behind {
    /// The server with that database.
    pub name: String,
    /// Who has seen more of it.
    pub peer: String,
    /// When, in words.
    pub ago: String,
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
        self.require_memory()?;
        let key = *self.keys.get(peer).ok_or(LifeError::Malformed)?;
        let (theirs, signature) = life(request.life.as_ref(), &request.starts, &key)?;
        let seen_ms = self.clock.now_ms();
        let sighting = Sighting { peer: key, moment: theirs.now, signature, seen_ms };
        let sighted = self.storage.sight(sighting, theirs).await?;
        if sighted.is_another {
            tracing::warn!(%peer, "the peer has begun with another database: it has forgotten the \
                studies that it took part in; those that have not ended wait until they are cancelled");
        }
        let (furthest, mine) = (sighted.furthest, self.storage.life().await?);
        let (said, starts) = signed(&mine, &self.signer);
        let seen = Some(word(&furthest.moment, furthest.signature));
        Ok(v1::MeetResponse { life: Some(said), starts, seen, seen_ms: furthest.seen_ms })
    }

    /// Tells `peer` how far this server has come, and requires that neither has forgotten anything.
    pub async fn meet(
        &self,
        peer: &str,
        mut client: PeersClient<Channel>,
    ) -> Result<(), LifeError> {
        self.require_memory()?;
        let key = *self.keys.get(peer).ok_or(LifeError::Malformed)?;
        // What is known before the question: answers may overtake each other.
        let known = self.storage.sightings(key).await?;
        let (said, starts) = signed(&self.storage.life().await?, &self.signer);
        let mut request = Request::new(v1::MeetRequest { life: Some(said), starts });
        request.set_timeout(MEET);
        let answer = client.meet(request).await;
        let answer = answer.map_err(|status| LifeError::Call(Box::new(status)))?.into_inner();
        self.compare(peer, &answer).await?;
        let (theirs, _) = life(answer.life.as_ref(), &answer.starts, &key)?;
        match known.iter().find(|known| !theirs.remembers(&known.moment)) {
            Some(known) => Err(LifeError::Behind(Behind {
                name: peer.to_owned(),
                peer: self.name.clone(),
                ago: ago(self.clock.now_ms(), known.seen_ms),
            })),
            None => Ok(()),
        }
    }

    fn require_memory(&self) -> Result<(), LifeError> {
        self.behind.borrow().clone().map_or(Ok(()), |behind| Err(LifeError::Behind(behind)))
    }

    /// Requires that this server's database remembers what the peer has seen of it.
    async fn compare(&self, peer: &str, answer: &v1::MeetResponse) -> Result<(), LifeError> {
        let (seen, _) = heard(answer.seen.as_ref(), &self.signer.public())?;
        // What it has now: another meeting may have told the peer of more than this one did.
        if self.storage.life().await?.remembers(&seen) {
            return Ok(());
        }
        let ago = ago(self.clock.now_ms(), answer.seen_ms);
        let behind = Behind { name: self.name.clone(), peer: peer.to_owned(), ago };
        let is_news = self.behind.send_if_modified(|known| match known {
            Some(_) => false,
            None => known.replace(behind.clone()).is_none(),
        });
        if is_news {
            tracing::error!(
                "{behind}. This server takes nothing in and takes part in nothing. Stop it, and restore \
                 the newest backup of sotto.db. If there is none that is new enough, move sotto.db, \
                 sotto.db-wal and sotto.db-shm away and start with an empty database, which the other \
                 servers accept; then have the studies that it took part in cancelled at another server"
            );
        }
        Err(LifeError::Behind(behind))
    }
}

/// A server's own word, and its starts.
pub fn signed(life: &Life, signer: &Signer) -> (v1::Life, Vec<v1::Start>) {
    let start = |start: &Start| v1::Start { start: start.start.to_vec().into(), age: start.age };
    let signature = signer.sign(dst::LIFE, &parts(&life.now, &life.now.age.to_be_bytes()));
    (word(&life.now, signature), life.starts.iter().map(start).collect())
}

/// What a word says that `key` has signed.
pub fn heard(word: Option<&v1::Life>, key: &PublicKey) -> Result<(Moment, Signature), LifeError> {
    let word = word.ok_or(LifeError::Malformed)?;
    let signature = field("signature", &word.signature).map_err(|_| LifeError::Malformed)?;
    let (identity, start) = (bytes(&word.identity)?, bytes(&word.start)?);
    let moment = Moment { identity, start, age: age(word.age)? };
    key.verify(dst::LIFE, &parts(&moment, &moment.age.to_be_bytes()), &signature)?;
    Ok((moment, signature))
}

/// The life of a peer, in its own words.
pub(crate) fn life(
    word: Option<&v1::Life>,
    starts: &[v1::Start],
    key: &PublicKey,
) -> Result<(Life, Signature), LifeError> {
    let (now, signature) = heard(word, key)?;
    if starts.len() > Life::STARTS {
        return Err(LifeError::Malformed);
    }
    let start = |said: &v1::Start| Ok(Start { start: bytes(&said.start)?, age: age(said.age)? });
    let starts: Vec<Start> = starts.iter().map(start).collect::<Result<_, LifeError>>()?;
    match starts.last().is_some_and(|last| last.start == now.start) {
        true => Ok((Life { now, starts }, signature)),
        false => Err(LifeError::Malformed),
    }
}

fn bytes(bytes: &[u8]) -> Result<[u8; 16], LifeError> {
    bytes.try_into().map_err(|_| LifeError::Malformed)
}

/// Beyond this no database can count.
fn age(age: u64) -> Result<u64, LifeError> {
    i64::try_from(age).map(|_| age).map_err(|_| LifeError::Malformed)
}

fn parts<'a>(moment: &'a Moment, age: &'a [u8; 8]) -> [&'a [u8]; 3] {
    [&moment.identity, &moment.start, age]
}

fn word(moment: &Moment, signature: Signature) -> v1::Life {
    v1::Life {
        identity: moment.identity.to_vec().into(),
        start: moment.start.to_vec().into(),
        age: moment.age,
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
    fn a_word_holds_for_its_server_its_database_its_start_and_its_age_alone() {
        let (alpha, beta) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let now = Moment { identity: [7; 16], start: [8; 16], age: 9 };
        let whole = Life { now, starts: vec![Start { start: [8; 16], age: 3 }] };
        let (said, starts) = signed(&whole, &alpha);
        assert_eq!(life(Some(&said), &starts, &alpha.public()).expect("holds").0, whole);
        assert!(matches!(heard(Some(&said), &beta.public()), Err(LifeError::Signature(_))));
        for other in [
            v1::Life { age: 8, ..said.clone() },
            v1::Life { identity: vec![8; 16].into(), ..said.clone() },
            v1::Life { start: vec![9; 16].into(), ..said.clone() },
        ] {
            assert!(matches!(heard(Some(&other), &alpha.public()), Err(LifeError::Signature(_))));
        }
        for malformed in [
            v1::Life { identity: vec![7; 15].into(), ..said.clone() },
            v1::Life { start: vec![7; 17].into(), ..said.clone() },
            v1::Life { signature: vec![0; 63].into(), ..said.clone() },
            v1::Life { age: u64::MAX, ..said.clone() },
        ] {
            let heard = heard(Some(&malformed), &alpha.public());
            assert!(matches!(heard, Err(LifeError::Malformed)));
        }
        assert!(matches!(heard(None, &alpha.public()), Err(LifeError::Malformed)));
        let too_many = vec![starts[0].clone(); Life::STARTS + 1];
        for starts in [&[][..], &too_many] {
            let heard = life(Some(&said), starts, &alpha.public());
            assert!(matches!(heard, Err(LifeError::Malformed)));
        }
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
