//! The one thread that writes: it takes everything that waits and commits it with one fsync.
//!
//! A command that fails is undone without savepoints: within one, SQLite copies each page that it
//! changes into a temporary file, and those pages hold shares. The group is rolled back instead,
//! and its commands run again, each in a transaction of its own; this is rare. An error of the disk
//! is everybody's: the whole group fails with it.

use std::{fs::File, thread};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{Desk, StorageError, lives};

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
    /// Whether the database is to be opened again if its disk has failed.
    pub(super) probe: bool,
}

/// A transaction's share of one caller.
trait Command: Send {
    fn order(&self) -> Order;
    /// Runs the statements, and keeps what came out; returns why they failed, if they did. May run
    /// again after a rollback.
    fn run(&mut self, connection: &Connection) -> Option<StorageError>;
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
        desk: Desk,
        lock: File,
    ) -> Result<(Self, oneshot::Receiver<()>), StorageError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (closed, on_closed) = oneshot::channel();
        thread::Builder::new()
            .name("storage-writer".into())
            .spawn(move || {
                serve(desk, receiver);
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

    fn run(&mut self, connection: &Connection) -> Option<StorageError> {
        self.outcome = (self.work)(connection);
        self.outcome.as_ref().err().cloned()
    }

    fn answer(self: Box<Self>, committed: Result<(), StorageError>) {
        // The caller may have gone away; what it asked for is done all the same.
        let _ = self.reply.send(committed.and(self.outcome));
    }
}

fn serve(mut desk: Desk, mut queue: mpsc::Receiver<Box<dyn Command>>) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        let mut bytes = group.iter().map(|command| command.order().bytes).sum::<usize>();
        while group.len() < GROUP_COMMANDS && bytes < GROUP_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            bytes += next.order().bytes;
            group.push(next);
        }
        let is_probed = group.iter().any(|command| command.order().probe);
        let committed = match desk.connection(is_probed) {
            Ok(connection) => commit(connection, &mut group),
            Err(error) => vec![Err(error); group.len()],
        };
        desk.note(&committed);
        desk.tidy(group.iter().any(|command| command.order().empty_log));
        for (command, committed) in group.into_iter().zip(committed) {
            command.answer(committed);
        }
    }
}

/// Commits the group, in one transaction if none of it has to be undone. Says of each command
/// whether its outcome stands.
fn commit(
    connection: &Connection,
    group: &mut [Box<dyn Command>],
) -> Vec<Result<(), StorageError>> {
    match transact(connection, group) {
        Ok(Transaction::Undone) if group.len() > 1 => one_by_one(connection, group),
        // Of a command that was undone alone, the error is the outcome.
        Ok(_) => vec![Ok(()); group.len()],
        Err(error) => vec![Err(error); group.len()],
    }
}

/// Commits each command alone, up to an error of the disk.
fn one_by_one(
    connection: &Connection,
    group: &mut [Box<dyn Command>],
) -> Vec<Result<(), StorageError>> {
    let mut of_disk = None;
    let commit = |command| {
        if let Some(error) = &of_disk {
            return vec![Err(StorageError::clone(error))];
        }
        let committed = commit(connection, std::slice::from_mut(command));
        let mut errors = committed.iter().filter_map(|committed| committed.as_ref().err());
        of_disk = errors.find(|error| error.is_of_disk()).cloned();
        committed
    };
    group.iter_mut().flat_map(commit).collect()
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
    let transacted = in_transaction(connection, group);
    // An error of SQLite's own may have undone it already.
    if !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    transacted
}

fn in_transaction(
    connection: &Connection,
    group: &mut [Box<dyn Command>],
) -> Result<Transaction, StorageError> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let begun = connection.total_changes();
    for command in group {
        let before = connection.total_changes();
        let failed = command.run(connection);
        match failed {
            Some(error) if error.is_of_disk() => return Err(error),
            Some(_) if connection.is_autocommit() => return Ok(Transaction::Undone),
            Some(_) if connection.total_changes() != before => return Ok(Transaction::Undone),
            // The command that met the end of the transaction must not call it a success.
            None if connection.is_autocommit() => {
                return Err(StorageError::Engine("the transaction was undone".into()));
            }
            _ => {}
        }
    }
    if connection.total_changes() != begun {
        lives::grow(connection)?;
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(Transaction::Committed)
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

    /// With the table by which transactions are counted.
    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE life (age); INSERT INTO life VALUES (0)").unwrap();
        connection
    }

    fn age(connection: &Connection) -> i64 {
        connection.query_row("SELECT age FROM life", [], |row| row.get(0)).unwrap()
    }

    fn numbers(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT x FROM t ORDER BY x").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_failing_command_takes_only_its_own_writes_with_it() {
        let connection = database();
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
        assert_eq!(age(&connection), 2, "of each transaction that changed something");
    }

    #[test]
    fn a_refusal_that_changed_nothing_does_not_run_the_others_again() {
        let connection = database();
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
        let connection = database();
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

    #[test]
    fn an_error_of_the_disk_takes_the_whole_group_with_it_and_nothing_runs_again() {
        let connection = database();
        connection.execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)").unwrap();
        let (good, mut good_answer) = task(|c| insert(c, 1));
        let (full, mut full_answer) = task(|c| {
            insert(c, 2)?;
            Err(StorageError::Full)
        });
        let (never, mut never_answer) = task(|_| panic!("nothing is asked of a full disk"));
        let mut group = [good, full, never];
        let committed = commit(&connection, &mut group);
        for (command, committed) in group.into_iter().zip(committed) {
            command.answer(committed);
        }
        for answer in [&mut good_answer, &mut full_answer, &mut never_answer] {
            assert!(matches!(answer.try_recv().unwrap(), Err(StorageError::Full)));
        }
        assert!(numbers(&connection).is_empty() && age(&connection) == 0);
        assert!(connection.is_autocommit(), "the next group can begin");
    }
}
