//! The one thread that writes: it takes everything that waits and commits it with one fsync.
//!
//! A command that fails is undone without savepoints: within one, SQLite copies each page that it
//! changes into a temporary file, and those pages hold shares. The group is rolled back instead,
//! and its commands run again, each in a transaction of its own; this is rare.

use std::{fs::File, thread};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{StorageError, schema};

/// Commands that may wait for the writer; beyond that, callers wait.
const QUEUE: usize = 256;
/// Most commands in one transaction.
const GROUP_COMMANDS: usize = 256;
/// A transaction takes no further command once its commands carry this many bytes.
const GROUP_BYTES: usize = 8 << 20;

/// The queue in front of the writer thread.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Box<dyn Command>>);

/// What a command asks of the writer beside its statements.
#[derive(Clone, Copy, Default)]
pub(super) struct Order {
    /// Bytes that the command carries.
    pub(super) bytes: usize,
    /// Whether the log must be emptied after the commit, because deleted secrets are in it.
    pub(super) empty_log: bool,
}

/// A transaction's share of one caller.
trait Command: Send {
    fn order(&self) -> Order;
    /// Runs the statements, and keeps what came out. `false`: they failed. May run again after
    /// a rollback.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Tells the caller what came out, or why nothing of the group was committed.
    fn answer(self: Box<Self>, committed: Result<(), StorageError>);
}

struct Task<T, F> {
    order: Order,
    work: F,
    outcome: Result<T, StorageError>,
    reply: oneshot::Sender<Result<T, StorageError>>,
}

impl Writer {
    /// Starts the thread. It keeps `lock` until it has written everything and closed the
    /// connection, which happens when the last clone of the queue is gone; then it says so.
    pub(super) fn start(
        connection: Connection,
        lock: File,
    ) -> Result<(Self, oneshot::Receiver<()>), StorageError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (closed, on_closed) = oneshot::channel();
        thread::Builder::new()
            .name("storage-writer".into())
            .spawn(move || {
                serve(&connection, receiver);
                drop(connection);
                drop(lock);
                // Nobody may be waiting for the end, and that is no error.
                let _ = closed.send(());
            })
            .map_err(|cause| StorageError::Engine(format!("no thread for the writer: {cause}")))?;
        Ok((Self(sender), on_closed))
    }

    /// Runs `work` inside the next transaction and answers when that is durable. An error of
    /// `work` undoes what it did, and nothing else.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        order: Order,
        work: impl Fn(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (reply, answer) = oneshot::channel();
        let task = Task { order, work, outcome: Err(StorageError::Closed), reply };
        self.0.send(Box::new(task)).await.map_err(|_| StorageError::Closed)?;
        answer.await.unwrap_or(Err(StorageError::Closed))
    }
}

impl<T, F> Command for Task<T, F>
where
    T: Send,
    F: Fn(&Connection) -> Result<T, StorageError> + Send,
{
    fn order(&self) -> Order {
        self.order
    }

    fn run(&mut self, connection: &Connection) -> bool {
        self.outcome = (self.work)(connection);
        self.outcome.is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<(), StorageError>) {
        // The caller may have gone away; what it asked for is done all the same.
        let _ = self.reply.send(committed.and(self.outcome));
    }
}

fn serve(connection: &Connection, mut queue: mpsc::Receiver<Box<dyn Command>>) {
    let mut log_holds_secrets = false;
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        let mut bytes = group.iter().map(|command| command.order().bytes).sum::<usize>();
        while group.len() < GROUP_COMMANDS && bytes < GROUP_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            bytes += next.order().bytes;
            group.push(next);
        }
        let committed = commit(connection, &mut group);
        log_holds_secrets |= group.iter().any(|command| command.order().empty_log);
        if log_holds_secrets {
            log_holds_secrets = !empty_log(connection);
        }
        for (command, committed) in group.into_iter().zip(committed) {
            command.answer(committed);
        }
    }
    empty_log(connection);
}

/// Commits the group, in one transaction if none of it has to be undone. Says of each command
/// whether its outcome stands.
fn commit(
    connection: &Connection,
    group: &mut [Box<dyn Command>],
) -> Vec<Result<(), StorageError>> {
    match transact(connection, group) {
        Ok(Transaction::Undone) if group.len() > 1 => group
            .iter_mut()
            .flat_map(|command| commit(connection, std::slice::from_mut(command)))
            .collect(),
        // Of a command that was undone alone, the error is the outcome.
        Ok(_) => vec![Ok(()); group.len()],
        Err(error) => vec![Err(error); group.len()],
    }
}

enum Transaction {
    Committed,
    /// A command failed after it had changed something, so everything was rolled back.
    Undone,
}

fn transact(
    connection: &Connection,
    group: &mut [Box<dyn Command>],
) -> Result<Transaction, StorageError> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for command in group {
        let before = connection.total_changes();
        let failed = !command.run(connection);
        if connection.is_autocommit() {
            // A full disk, for one, makes SQLite undo the whole transaction by itself, which
            // the command that met it must not call a success.
            let undone = StorageError::Engine("the transaction was undone".into());
            return if failed { Ok(Transaction::Undone) } else { Err(undone) };
        }
        if failed && connection.total_changes() != before {
            connection.prepare_cached("ROLLBACK")?.execute([])?;
            return Ok(Transaction::Undone);
        }
    }
    let committed = connection.prepare_cached("COMMIT")?.execute([]);
    if committed.is_err() && !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    committed?;
    Ok(Transaction::Committed)
}

/// Empties the log; `false` if it has to be tried again after the next group.
fn empty_log(connection: &Connection) -> bool {
    match schema::checkpoint(connection) {
        Ok(done) => done,
        Err(error) => {
            tracing::warn!(%error, "the database's log could not be emptied");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(
        work: impl Fn(&Connection) -> Result<usize, StorageError> + Send + 'static,
    ) -> (Box<dyn Command>, oneshot::Receiver<Result<usize, StorageError>>) {
        let (reply, answer) = oneshot::channel();
        let outcome = Err(StorageError::Closed);
        (Box::new(Task { order: Order::default(), work, outcome, reply }), answer)
    }

    fn insert(connection: &Connection, number: i64) -> Result<usize, StorageError> {
        Ok(connection.execute("INSERT INTO t VALUES (?1)", [number])?)
    }

    fn numbers(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT x FROM t ORDER BY x").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_failing_command_takes_only_its_own_writes_with_it() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)").unwrap();
        let (first, mut first_answer) = task(|c| insert(c, 1));
        let (second, mut second_answer) = task(|c| {
            insert(c, 2)?;
            insert(c, 1)
        });
        let (third, mut third_answer) = task(|c| insert(c, 3));
        let mut group = [first, second, third];
        let committed = commit(&connection, &mut group);
        for (command, committed) in group.into_iter().zip(committed) {
            command.answer(committed);
        }
        assert!(first_answer.try_recv().unwrap().is_ok());
        assert!(second_answer.try_recv().unwrap().is_err());
        assert!(third_answer.try_recv().unwrap().is_ok());
        assert_eq!(numbers(&connection), [1, 3]);
    }

    #[test]
    fn a_refusal_that_changed_nothing_does_not_run_the_others_again() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)").unwrap();
        let (refused, mut refused_answer) = task(|_| Err(StorageError::Damaged("refused")));
        let runs = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = std::sync::Arc::clone(&runs);
        let (counted, _) = task(move |c| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            insert(c, 1)
        });
        let mut group = [counted, refused];
        let committed = commit(&connection, &mut group);
        for (command, committed) in group.into_iter().zip(committed) {
            command.answer(committed);
        }
        assert!(refused_answer.try_recv().unwrap().is_err());
        assert_eq!(runs.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert_eq!(numbers(&connection), [1]);
    }

    #[test]
    fn nobody_is_told_of_success_when_the_commit_fails() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON;
                 CREATE TABLE t (x INTEGER PRIMARY KEY);
                 CREATE TABLE u (x REFERENCES t DEFERRABLE INITIALLY DEFERRED);",
            )
            .unwrap();
        let (good, mut good_answer) = task(|c| insert(c, 1));
        let (dangling, _) = task(|c| Ok(c.execute("INSERT INTO u VALUES (7)", [])?));
        let mut group = [good, dangling];
        let committed = commit(&connection, &mut group);
        for (command, committed) in group.into_iter().zip(committed) {
            assert!(committed.is_err());
            command.answer(committed);
        }
        assert!(good_answer.try_recv().unwrap().is_err());
        assert!(numbers(&connection).is_empty());
        assert!(connection.is_autocommit(), "the next group can begin");
    }
}
