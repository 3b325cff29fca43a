//! Honest: people who submit and ask, as they do every day.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use ::client::{Profile, progress::Silent, submit::Options};
use mpc::ids::StudyId;
use tokio_util::sync::CancellationToken;

use super::one_hot;

/// Who submits to a study of theirs, one after the other.
pub struct People {
    profile: PathBuf,
    dir: PathBuf,
    study: StudyId,
    next: usize,
    /// Between one and the next.
    pub pause: Duration,
}

/// How long honest people waited.
#[derive(Default)]
pub struct Waited {
    pub submitting: Vec<Duration>,
    pub asking: Vec<Duration>,
}

impl Waited {
    /// With what others waited.
    #[allow(dead_code, reason = "the tests look at each scenario alone")]
    pub fn extend(&mut self, others: Self) {
        self.submitting.extend(others.submitting);
        self.asking.extend(others.asking);
    }
}

impl People {
    pub fn new(profile: &Path, dir: &Path, study: &str) -> Self {
        let study = study.parse().unwrap();
        let pause = Duration::ZERO;
        Self { profile: profile.to_owned(), dir: dir.to_owned(), study, next: 0, pause }
    }

    /// How many have submitted.
    pub fn count(&self) -> usize {
        self.next
    }

    /// So many more submit, each with a client and connections of their own, and an analyst asks
    /// after each of them. The client library rides out what it has to, and everything succeeds.
    pub async fn come(&mut self, count: usize) -> Waited {
        let mut waited = Waited::default();
        let profile = Profile::load(&self.profile).unwrap();
        for _ in 0..count {
            tokio::time::sleep(self.pause).await;
            // A study's own: receipts lie beside it.
            let file = self.dir.join(format!("person-{}-{}.csv", self.study, self.next));
            std::fs::write(&file, one_hot::people(self.next..self.next + 1)).unwrap();
            let options = Options { timeout: Duration::from_secs(60), ..Options::default() };
            let (stop, silent) = (CancellationToken::new(), Arc::new(Silent));
            let begun = Instant::now();
            let submit =
                ::client::submit::submit(&profile, self.study, &file, &options, &stop, silent);
            assert_eq!(submit.await.unwrap().records, 1);
            waited.submitting.push(begun.elapsed());
            self.next += 1;
            let begun = Instant::now();
            while let Err(error) = ::client::studies::show(&profile, self.study).await {
                again(&error, begun).await;
            }
            waited.asking.push(begun.elapsed());
        }
        waited
    }
}

/// An analyst who could not reach any server tries again, for a while.
async fn again(error: &::client::ClientError, begun: Instant) {
    assert!(error.is_unreachable() && begun.elapsed() < Duration::from_secs(60), "{error}");
    eprintln!("  again: {error}");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
