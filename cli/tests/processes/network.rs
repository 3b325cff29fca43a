//! A network between servers and clients that can be slow, and be cut: a proxy on every way from
//! somebody to a server.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// The ways to three servers, of these servers and of everybody else.
pub struct Network {
    /// By who connects (the last one: clients), and by the server.
    ways: Vec<[Way; 3]>,
    slowness_ms: Arc<AtomicU64>,
}

/// Which bytes do not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Neither those of the server nor those to it.
    Both,
    /// Those that it sends; it hears everybody.
    FromIt,
    /// Those that it should receive; everybody hears it.
    ToIt,
}

/// A proxy in front of one server, for one of those who connect to it.
struct Way {
    port: u16,
    to_server: Arc<Valve>,
    from_server: Arc<Valve>,
}

/// Holds the bytes of one direction while it is shut: as on a network that loses packets, nothing
/// arrives, the sender is not told, and what was sent is there when the network is.
#[derive(Default)]
struct Valve {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Valve {
    fn set(&self, shut: bool) {
        *self.is_shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let shut = self.is_shut.lock().unwrap();
        drop(self.opened.wait_while(shut, |is_shut| *is_shut).unwrap());
    }
}

impl Network {
    /// Ways to servers on these ports.
    pub fn to(ports: [u16; 3]) -> Self {
        let slowness_ms = Arc::new(AtomicU64::new(0));
        let ways = (0..4).map(|_| ports.map(|port| Way::to(port, slowness_ms.clone()))).collect();
        Self { ways, slowness_ms }
    }

    /// The port by which `who` reaches a server; clients are 3.
    pub fn port(&self, who: usize, server: usize) -> u16 {
        self.ways[who][server].port
    }

    /// Everything takes this long from now on, in each direction.
    pub fn slow(&self, milliseconds: u64) {
        self.slowness_ms.store(milliseconds, Ordering::Relaxed);
    }

    /// Cuts a server off from the others and from all clients.
    pub fn cut(&self, server: usize, cut: Cut) {
        self.set(server, cut, true);
    }

    /// Ends a cut.
    pub fn heal(&self, server: usize) {
        self.set(server, Cut::Both, false);
    }

    fn set(&self, server: usize, cut: Cut, shut: bool) {
        let (from_it, to_it) = (cut != Cut::ToIt, cut != Cut::FromIt);
        for (who, ways) in self.ways.iter().enumerate() {
            for (other, way) in ways.iter().enumerate() {
                // Those who connect to it, and those to whom it connects.
                let (ahead, back) = match (who == server, other == server) {
                    (false, true) => (to_it, from_it),
                    (true, false) => (from_it, to_it),
                    _ => continue,
                };
                if ahead {
                    way.to_server.set(shut);
                }
                if back {
                    way.from_server.set(shut);
                }
            }
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Threads that wait at a valve end with their connections.
        (0..3).for_each(|server| self.heal(server));
    }
}

impl Way {
    fn to(server: u16, slowness_ms: Arc<AtomicU64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (to_server, from_server) = (Arc::<Valve>::default(), Arc::<Valve>::default());
        let way = Self { port, to_server: to_server.clone(), from_server: from_server.clone() };
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // A server that is down refuses, and so does its proxy.
                let Ok(far) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else {
                    continue;
                };
                carry(near_too, far_too, to_server.clone(), slowness_ms.clone());
                carry(far, near, from_server.clone(), slowness_ms.clone());
            }
        });
        way
    }
}

/// Carries one direction of a connection, its end included.
fn carry(mut from: TcpStream, mut to: TcpStream, valve: Arc<Valve>, slowness_ms: Arc<AtomicU64>) {
    // So many chunks may be under way, as on a line of some length.
    let (chunks, arriving) = mpsc::sync_channel::<(Instant, Vec<u8>)>(64);
    thread::spawn(move || {
        let mut some = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from.read(&mut some) {
            let slowness = Duration::from_millis(slowness_ms.load(Ordering::Relaxed));
            if chunks.send((Instant::now() + slowness, some[..read].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, chunk) in arriving {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            valve.pass();
            if to.write_all(&chunk).is_err() {
                break;
            }
        }
        valve.pass();
        let _ = to.shutdown(Shutdown::Both);
    });
}
