//! Place: where a host or a pupil listens, and the address under which the others find it.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use proto::listener::ListenerLimits;
use tokio::net::TcpListener;

use super::{address, error::RingError};

/// Connections that a host or a pupil serves at once: a full class, twice over.
const CONNECTIONS: usize = 256;
/// Connections from one address: a whole class may play on one machine.
const PER_ADDRESS: usize = 128;
/// New connections a second from one address.
const NEW_PER_SECOND: NonZeroU32 = NonZeroU32::new(256).unwrap();
/// Longer than a handshake takes in a crowded network.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Longer than joining takes, or a first number of a round.
const FIRST_CALL: Duration = Duration::from_secs(20);

/// What strangers may take of a host or a pupil.
pub fn limits() -> ListenerLimits {
    ListenerLimits {
        connections: CONNECTIONS,
        per_address: PER_ADDRESS,
        new_at_once: NEW_PER_SECOND,
        new_per_second: NEW_PER_SECOND,
        handshake_deadline: HANDSHAKE,
        first_call_deadline: FIRST_CALL,
    }
}

/// A socket that listens, and the host name and port by which the others find it: `address`, else
/// the address that is listened on, else the one from which `towards` is reached.
pub async fn listen(
    listen: SocketAddr,
    address: Option<&str>,
    towards: Option<&str>,
) -> Result<(TcpListener, String, u16), RingError> {
    let refused = |cause| RingError::Listen { address: listen, cause };
    let tcp = TcpListener::bind(listen).await.map_err(refused)?;
    let bound = tcp.local_addr().map_err(refused)?;
    let host = match address {
        Some(name) if is_host(name) => name.to_owned(),
        Some(name) => return Err(RingError::BadAddress(name.to_owned())),
        None => own_address(bound.ip(), towards).await.to_string(),
    };
    Ok((tcp, host, bound.port()))
}

/// host:port, with the brackets that IPv6 needs.
pub fn authority(host: &str, port: u16) -> String {
    match host.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

async fn own_address(listen: IpAddr, towards: Option<&str>) -> IpAddr {
    let others = match towards {
        Some(towards) => tokio::net::lookup_host(towards).await.ok(),
        None => None,
    };
    match others {
        Some(others) => address::seen_from(listen, others),
        None => address::reachable(listen),
    }
}

fn is_host(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
        || (!name.is_empty()
            && name.len() <= 253
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_listens_on_one_address_is_found_there_unless_it_names_another() {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let (tcp, host, port) = listen(local, None, None).await.unwrap();
        assert_eq!((host.as_str(), port), ("127.0.0.1", tcp.local_addr().unwrap().port()));
        let (_, host, _) = listen(local, Some("desk.example"), None).await.unwrap();
        assert_eq!(host, "desk.example");
        let refused = listen(local, Some("no host"), None).await.unwrap_err();
        assert!(matches!(refused, RingError::BadAddress(_)));
    }

    #[tokio::test]
    async fn who_listens_everywhere_is_found_where_the_host_sees_it() {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let (_, host, _) = listen(any, None, Some("127.0.0.1:9")).await.unwrap();
        assert_eq!(host, "127.0.0.1");
    }
}
