//! Network: byte streams between hosts, which a plan delays, holds back, and cuts.
//!
//! A stream keeps its order and loses nothing while it lives, as TCP does: what a partition holds
//! back arrives when it heals, or never, if an end gave up before. Calls overtake each other across
//! connections, and at the servers' doors.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use server::tls::{self, Claimed};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf},
    sync::{Notify, mpsc},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint, Uri, server::Connected};

use crate::trace::Trace;

/// A place in the network: servers from 0, the analyst, and the providers.
pub type Host = usize;

/// The analyst and the operators.
pub const ANALYST: Host = 50;
/// The first provider.
pub const PROVIDERS: Host = 100;

/// Bytes that are on their way in one piece.
const PIECE: usize = 16 << 10;
/// Bytes that an end may write ahead.
const WINDOW: usize = 64 << 10;

/// The network.
pub struct Network {
    state: Mutex<State>,
    /// Wakes in order, as a watch channel does not.
    changed: Notify,
    trace: Trace,
}

struct State {
    rng: StdRng,
    latency_ms: u64,
    slow_ms: u64,
    /// One way each.
    blocked: BTreeMap<(Host, Host), u32>,
    /// Bytes after which the next connection with as many in this direction breaks.
    cuts: BTreeMap<(Host, Host), usize>,
    listeners: BTreeMap<Host, Listener>,
}

/// Where a server accepts connections.
#[derive(Clone)]
pub struct Listener {
    accepted: mpsc::UnboundedSender<io::Result<Stream>>,
    death: Death,
}

/// How a process ends for those who are connected to it.
#[derive(Clone, Default)]
pub struct Death {
    /// Its process is gone, and its machine says so.
    pub closed: CancellationToken,
}

/// A server's end of a connection, which says who is at the other one.
pub struct Stream {
    stream: DuplexStream,
    caller: Claimed,
}

impl Network {
    pub fn new(seed: u64, latency_ms: u64, trace: Trace) -> Arc<Self> {
        let state = State {
            rng: StdRng::seed_from_u64(seed ^ 0x006e_6574),
            latency_ms,
            slow_ms: 0,
            blocked: BTreeMap::new(),
            cuts: BTreeMap::new(),
            listeners: BTreeMap::new(),
        };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new(), trace })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Nothing of what `from` sends reaches `to`; blocks add up.
    pub fn block(&self, from: Host, to: Host) {
        *self.lock().blocked.entry((from, to)).or_default() += 1;
    }

    /// Takes one block away.
    pub fn unblock(&self, from: Host, to: Host) {
        if let Some(count) = self.lock().blocked.get_mut(&(from, to)) {
            *count = count.saturating_sub(1);
        }
        self.changed.notify_waiters();
    }

    /// Everything takes so much longer.
    pub fn slow(&self, ms: u64) {
        self.lock().slow_ms = ms;
    }

    /// After so many more bytes from `from` to `to` their connection breaks, in the middle of what
    /// was being sent.
    pub fn cut(&self, from: Host, to: Host, bytes: usize) {
        self.lock().cuts.insert((from, to), bytes);
    }

    /// Everything works again.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.blocked.clear();
        state.cuts.clear();
        state.slow_ms = 0;
        drop(state);
        self.changed.notify_waiters();
    }

    /// Listens as `host` until `death`.
    pub fn listen(&self, host: Host, death: Death) -> mpsc::UnboundedReceiver<io::Result<Stream>> {
        let (accepted, incoming) = mpsc::unbounded_channel();
        self.lock().listeners.insert(host, Listener { accepted, death });
        incoming
    }

    /// Nobody listens as `host` any more.
    pub fn silence(&self, host: Host) -> Option<Listener> {
        self.lock().listeners.remove(&host)
    }

    /// A channel from one host to another, which connects by itself, for as long as the process
    /// lives that it belongs to.
    pub fn channel(
        self: &Arc<Self>,
        from: Host,
        to: Host,
        pin: Option<tls::Pin>,
        owner: &Death,
    ) -> Channel {
        let (network, owner) = (self.clone(), owner.clone());
        Endpoint::from_static("http://simulated")
            .connect_timeout(Duration::from_secs(10))
            .http2_keep_alive_interval(Duration::from_secs(15))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
                let (network, owner) = (network.clone(), owner.clone());
                async move {
                    let connected = network.connect(from, to, pin, owner).await;
                    Ok::<_, io::Error>(TokioIo::new(connected?))
                }
            }))
    }

    async fn connect(
        self: &Arc<Self>,
        from: Host,
        to: Host,
        pin: Option<tls::Pin>,
        owner: Death,
    ) -> io::Result<DuplexStream> {
        if owner.closed.is_cancelled() {
            std::future::pending::<()>().await;
        }
        self.pass(from, to).await;
        self.pass(to, from).await;
        if owner.closed.is_cancelled() {
            std::future::pending::<()>().await;
        }
        let listener = self.lock().listeners.get(&to).cloned();
        let Some(Listener { accepted, death }) = listener else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let (caller, caller_far) = tokio::io::duplex(WINDOW);
        let (called, called_far) = tokio::io::duplex(WINDOW);
        let stream = Stream { stream: called, caller: Claimed(pin) };
        if accepted.send(Ok(stream)).is_err() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.trace.say(|| format!("connect {from} -> {to}"));
        let deaths = (owner, death);
        tokio::spawn(self.clone().carry((from, to), caller_far, called_far, deaths));
        Ok(caller)
    }

    /// Carries bytes both ways until an end closes, the connection is cut, or a process dies.
    async fn carry(
        self: Arc<Self>,
        (from, to): (Host, Host),
        caller: DuplexStream,
        called: DuplexStream,
        (caller_death, called_death): (Death, Death),
    ) {
        let (caller_out, caller_in) = tokio::io::split(caller);
        let (called_out, called_in) = tokio::io::split(called);
        // The end of the stream travels like everything else.
        let caller_died = async {
            caller_death.closed.cancelled().await;
            self.pass(from, to).await;
        };
        let called_died = async {
            called_death.closed.cancelled().await;
            self.pass(to, from).await;
        };
        tokio::select! {
            biased;
            () = caller_died => {}
            () = called_died => {}
            () = self.one_way((from, to), &caller_death, caller_out, called_in) => {}
            () = self.one_way((to, from), &called_death, called_out, caller_in) => {}
        }
        self.trace.say(|| format!("end of {from} -> {to}"));
    }

    /// Carries bytes one way, until the sender closes, the receiver is gone, or a cut.
    async fn one_way(
        &self,
        (from, to): (Host, Host),
        sender: &Death,
        mut source: impl AsyncRead + Unpin,
        mut sink: impl AsyncWrite + Unpin,
    ) {
        let mut piece = vec![0; PIECE];
        loop {
            let length = source.read(&mut piece).await.unwrap_or(0);
            if sender.closed.is_cancelled() {
                // What is left of a dead process sends nothing.
                std::future::pending::<()>().await;
            }
            self.pass(from, to).await;
            if length == 0 {
                return;
            }
            let whole = self.cut_at(from, to, length);
            let sent = sink.write_all(&piece[..whole.unwrap_or(length)]).await;
            if sent.is_err() {
                // Who is gone answers that, which is a message too.
                self.pass(to, from).await;
                return;
            }
            if whole.is_some() {
                self.trace.fired("a connection is cut");
                self.trace.say(|| format!("cut {from} -> {to}"));
                return;
            }
        }
    }

    /// How much of a piece passes before a cut, if there is one in it.
    fn cut_at(&self, from: Host, to: Host, length: usize) -> Option<usize> {
        let mut state = self.lock();
        let left = state.cuts.get_mut(&(from, to))?;
        if *left >= length {
            *left -= length;
            return None;
        }
        state.cuts.remove(&(from, to))
    }

    /// The time on the way, and as long as the way is blocked.
    async fn pass(&self, from: Host, to: Host) {
        let (slow, delay) = {
            let mut state = self.lock();
            let most = state.latency_ms.max(1);
            (state.slow_ms > 0, state.slow_ms + state.rng.random_range(1..=most))
        };
        if slow {
            self.trace.fired("a slow way");
        }
        self.trace.say(|| format!("{from} -> {to} in {delay} ms"));
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let mut is_held_back = false;
        loop {
            let changed = self.changed.notified();
            if self.lock().blocked.get(&(from, to)).is_none_or(|count| *count == 0) {
                return;
            }
            if !std::mem::replace(&mut is_held_back, true) {
                self.trace.fired("a blocked way");
            }
            changed.await;
        }
    }
}

impl Connected for Stream {
    type ConnectInfo = Claimed;

    fn connect_info(&self) -> Claimed {
        self.caller.clone()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
