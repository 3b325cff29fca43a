//! Door: uploads of one study that arrive together share one check of their commitments.
//!
//! An upload that finds nobody at the door is checked at once. While that goes on, on a thread of
//! its own, others gather, and all of them are checked next. So nobody waits for company, and the
//! busier a server is, the cheaper an upload gets ([`mpc::pedersen::Bases::check_all`]). The task
//! that checks lives as long as somebody waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mpc::pedersen::{Bases, Opened};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::{chance, work};

/// Uploads of one check, and uploads that may wait for it: the openings of so many of the widest
/// study are 64 MiB.
const BATCH: usize = 256;

/// The check of one study's uploads.
pub struct Door {
    check: Box<Check>,
    waiting: Mutex<Waiting>,
}

type Check = dyn Fn(&[Opened]) -> Vec<bool> + Send + Sync;

#[derive(Default)]
struct Waiting {
    uploads: Vec<(Opened, oneshot::Sender<bool>)>,
    /// Whether a task is checking, which takes what waits when it is done.
    is_served: bool,
}

/// Why an upload was not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unchecked {
    /// As many wait as may.
    #[error("too many uploads wait for the check of their commitments")]
    Full,
    /// The server is stopping.
    #[error("the check was given up")]
    Stopped,
}

impl Door {
    /// The door of a study with these bases.
    pub fn new(bases: Arc<Bases>) -> Arc<Self> {
        Self::with(move |uploads| bases.check_all(uploads, &mut chance::rng()))
    }

    fn with(check: impl Fn(&[Opened]) -> Vec<bool> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { check: Box::new(check), waiting: Mutex::default() })
    }

    /// Whether the commitment of an upload opens to what this server was given.
    pub async fn opens(
        self: &Arc<Self>,
        upload: Opened,
        tasks: &TaskTracker,
    ) -> Result<bool, Unchecked> {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            if waiting.uploads.len() >= BATCH {
                return Err(Unchecked::Full);
            }
            waiting.uploads.push((upload, answer));
            if !std::mem::replace(&mut waiting.is_served, true) {
                tasks.spawn(self.clone().serve());
            }
        }
        answered.await.map_err(|_| Unchecked::Stopped)
    }

    /// Checks batch after batch until nobody waits.
    async fn serve(self: Arc<Self>) {
        while let Some(batch) = self.next() {
            let (uploads, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let door = self.clone();
            let checked = work::aside(move || (door.check)(&uploads));
            // Without an outcome nobody of this batch gets an answer, and the next one goes on.
            let Ok(opens) = checked.await else { continue };
            for (answer, opens) in answers.into_iter().zip(opens) {
                // Whoever asked may have gone.
                let _ = answer.send(opens);
            }
        }
    }

    /// All who wait; if nobody does, the next upload starts a task.
    fn next(&self) -> Option<Vec<(Opened, oneshot::Sender<bool>)>> {
        let mut waiting = self.waiting();
        let batch = std::mem::take(&mut waiting.uploads);
        waiting.is_served = !batch.is_empty();
        waiting.is_served.then_some(batch)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpc::pedersen::Blinding;
    use std::sync::mpsc;
    use zeroize::Zeroizing;

    /// An upload that commits to `value` and opens to `opened`.
    fn upload(bases: &Bases, value: u128, opened: u128) -> Opened {
        let blinding = Blinding::random(&mut rand::rng());
        let point = bases.commit(&[value], &blinding).point().unwrap();
        Opened::new(point, Zeroizing::new(vec![opened]), blinding)
    }

    /// A door whose every check waits for a word, and reports how many uploads it was of.
    fn slow_door() -> (Arc<Door>, mpsc::Sender<()>, mpsc::Receiver<usize>) {
        let (go, wait) = mpsc::channel::<()>();
        let (report, sizes) = mpsc::channel();
        let (wait, report) = (Mutex::new(wait), Mutex::new(report));
        let door = Door::with(move |uploads| {
            wait.lock().unwrap().recv().unwrap();
            report.lock().unwrap().send(uploads.len()).unwrap();
            vec![true; uploads.len()]
        });
        (door, go, sizes)
    }

    fn spawn(
        door: &Arc<Door>,
        tasks: &TaskTracker,
        upload: Opened,
    ) -> tokio::task::JoinHandle<Result<bool, Unchecked>> {
        let (door, tasks) = (door.clone(), tasks.clone());
        tokio::spawn(async move { door.opens(upload, &tasks).await })
    }

    async fn until_waiting(door: &Arc<Door>, count: usize) {
        let waits = || {
            let waiting = door.waiting();
            waiting.is_served && waiting.uploads.len() == count
        };
        while !waits() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn exactly_the_false_ones_among_many_concurrent_uploads_are_refused() {
        let (bases, tasks) = (Arc::new(Bases::new(1)), TaskTracker::new());
        let door = Door::new(bases.clone());
        let handles: Vec<_> = (0..100)
            .map(|number| {
                let opened = if number % 17 == 3 { number + 1 } else { number };
                (number, spawn(&door, &tasks, upload(&bases, number, opened)))
            })
            .collect();
        for (number, handle) in handles {
            assert_eq!(handle.await.unwrap(), Ok(number % 17 != 3), "upload {number}");
        }
    }

    #[tokio::test]
    async fn uploads_that_arrive_during_a_check_share_the_next_one() {
        let (bases, tasks) = (Bases::new(1), TaskTracker::new());
        let (door, go, sizes) = slow_door();
        let mut handles = vec![spawn(&door, &tasks, upload(&bases, 1, 1))];
        // The first one is taken by itself, without waiting for others.
        until_waiting(&door, 0).await;
        handles.extend((0..5).map(|_| spawn(&door, &tasks, upload(&bases, 1, 1))));
        until_waiting(&door, 5).await;
        go.send(()).unwrap();
        go.send(()).unwrap();
        for handle in handles {
            assert_eq!(handle.await.unwrap(), Ok(true));
        }
        assert_eq!(sizes.iter().take(2).collect::<Vec<_>>(), [1, 5]);
        tasks.close();
        tasks.wait().await;
        assert!(!door.waiting().is_served, "no task is left when nobody waits");
    }

    #[tokio::test]
    async fn a_full_door_refuses_at_once_and_takes_more_when_there_is_room() {
        let (bases, tasks) = (Bases::new(1), TaskTracker::new());
        let (door, go, _sizes) = slow_door();
        let mut handles = vec![spawn(&door, &tasks, upload(&bases, 1, 1))];
        until_waiting(&door, 0).await;
        handles.extend((0..BATCH).map(|_| spawn(&door, &tasks, upload(&bases, 1, 1))));
        until_waiting(&door, BATCH).await;
        assert_eq!(door.opens(upload(&bases, 1, 1), &tasks).await, Err(Unchecked::Full));
        go.send(()).unwrap();
        until_waiting(&door, 0).await;
        handles.push(spawn(&door, &tasks, upload(&bases, 1, 1)));
        go.send(()).unwrap();
        go.send(()).unwrap();
        for handle in handles {
            assert_eq!(handle.await.unwrap(), Ok(true));
        }
    }

    #[tokio::test]
    async fn a_check_that_fails_gives_no_answer_and_the_next_upload_is_checked() {
        let (bases, tasks) = (Bases::new(1), TaskTracker::new());
        let first = std::sync::atomic::AtomicBool::new(true);
        let door = Door::with(move |uploads| {
            assert!(!first.swap(false, std::sync::atomic::Ordering::Relaxed), "the first fails");
            vec![true; uploads.len()]
        });
        assert_eq!(door.opens(upload(&bases, 1, 1), &tasks).await, Err(Unchecked::Stopped));
        assert_eq!(door.opens(upload(&bases, 1, 1), &tasks).await, Ok(true));
    }
}
