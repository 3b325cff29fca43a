//! Connections: as many as can be had, and nothing said on them.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use futures::future::join_all;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

use super::{PAUSE, STRANGER, Stage, tcp};

/// What a client of HTTP/2 says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// All connections at once, each kept as long as the server keeps it and then made again.
pub async fn slow(stage: &Stage, from: impl Fn(usize) -> Ipv4Addr) {
    let one = |number: usize| {
        let from = from(number);
        async move {
            // Not all in one moment: the system's queue is short.
            sleep(Duration::from_millis(number as u64 / 4)).await;
            loop {
                // Being turned away is what is expected.
                let _ = hold(stage, number, from).await;
                sleep(Duration::from_secs(1)).await;
            }
        }
    };
    join_all((0..stage.connections).map(one)).await;
}

async fn hold(stage: &Stage, number: usize, from: Ipv4Addr) -> io::Result<()> {
    let server = stage.servers[number % stage.servers.len()];
    let mut stream = tcp(server, from).await?;
    stage.step();
    match number / stage.servers.len() % 4 {
        0 => drop(stream.read(&mut [0; 1]).await),
        1 => drip(&mut stream, &hello(stage)).await?,
        2 => {
            let mut stream = stage.greet(stream).await?;
            drop(stream.read(&mut [0; 1]).await);
        }
        _ => drip(&mut stage.greet(stream).await?, PREFACE).await?,
    }
    Ok(())
}

/// A byte a second.
async fn drip(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    for byte in bytes.iter().cycle() {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// The first message of a handshake.
fn hello(stage: &Stage) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::clone(&stage.tls), name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

/// Handshakes that stop after the first message.
pub async fn half_open(stage: &Stage) {
    let one = |number: usize| async move {
        let hello = hello(stage);
        let server = stage.servers[number % stage.servers.len()];
        loop {
            if let Ok(mut stream) = tcp(server, STRANGER).await
                && stream.write_all(&hello).await.is_ok()
            {
                stage.step();
                let mut some = [0; 4096];
                while let Ok(1..) = stream.read(&mut some).await {}
            }
            sleep(PAUSE).await;
        }
    };
    join_all((0..stage.connections).map(one)).await;
}

/// Connections that are reset: before the handshake, in it, and after it.
pub async fn resets(stage: &Stage) {
    let one = |number: usize| async move {
        let server = stage.servers[number % stage.servers.len()];
        for round in number.. {
            // Being turned away is what is expected.
            let _ = reset(stage, tcp(server, STRANGER).await, round % 3).await;
            stage.step();
            tokio::task::yield_now().await;
        }
    };
    join_all((0..stage.connections.min(64)).map(one)).await;
}

async fn reset(stage: &Stage, stream: io::Result<TcpStream>, moment: usize) -> io::Result<()> {
    let mut stream = stream?;
    stream.set_zero_linger()?;
    match moment {
        0 => drop(stream),
        1 => stream.write_all(&hello(stage)).await?,
        _ => stage.greet(stream).await?.write_all(PREFACE).await?,
    }
    Ok(())
}
