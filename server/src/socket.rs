//! The socket that strangers come to, with a queue that a crowd fits into.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use tokio::net::TcpSocket;

/// Connections that the system holds until they are accepted; it may have a lower limit of its own
/// (`net.core.somaxconn`). What does not fit is dropped without a word, and honest people come again a
/// second later: the standard library's 128 are full when a few hundred strangers come in one moment.
const QUEUE: u32 = 4_096;

/// Listens on `address`. Only inside a runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // So that a server that is started again gets its port, whatever is left of old connections.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)?.into_std()
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, time::Duration};

    use super::*;

    #[tokio::test]
    async fn a_crowd_that_comes_in_one_moment_is_queued_and_nobody_is_dropped() {
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        // Who does not fit gets no answer at all.
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
        let crowd: Vec<_> = (0..400).map(connect).collect();
        assert_eq!(crowd.len(), 400);
    }
}
