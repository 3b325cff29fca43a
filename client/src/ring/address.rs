//! Address: by which address others in the same network reach this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses that belong to nobody (RFC 5737 and RFC 3849): a way to them is the way to everybody
/// else. Nothing is sent there.
const NOBODY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The address by which others reach a socket that listens on `listen`: that one, or, where it
/// listens on all of them, the one that this machine has in its network; without a network, the
/// machine's name for itself.
pub fn reachable(listen: IpAddr) -> IpAddr {
    let others = NOBODY.into_iter().map(|nobody| SocketAddr::new(nobody, 9));
    seen_from(listen, others)
}

/// The same for the first of some others to which there is a way.
pub fn seen_from(listen: IpAddr, others: impl IntoIterator<Item = SocketAddr>) -> IpAddr {
    if !listen.is_unspecified() {
        return listen;
    }
    let own = others.into_iter().find_map(|other| {
        let any: IpAddr = match other {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
        // Chooses a way and sends nothing.
        socket.connect(other).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    own.filter(|own| !own.is_unspecified()).unwrap_or(Ipv4Addr::LOCALHOST.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_was_chosen_is_kept_and_any_address_becomes_one_of_this_machine() {
        let chosen = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 20));
        assert_eq!(reachable(chosen), chosen);
        let own = reachable(Ipv4Addr::UNSPECIFIED.into());
        assert!(!own.is_unspecified());
        assert!(UdpSocket::bind(SocketAddr::new(own, 0)).is_ok(), "{own} is not of this machine");
    }
}
