//! Frames: HTTP/2 as no client speaks it, made by hand.

use std::io;

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, split},
    time::sleep,
};

use super::{PAUSE, Stage, connections::PREFACE};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;
/// The largest frame that is taken without being asked for.
const MOST: usize = 16 << 10;

/// A connection at a time to each server, on which calls are made and reset without end.
pub async fn resets(stage: &Stage) {
    repeat(stage, |stream| {
        let call = frame(HEADERS, END_HEADERS, stream, &call_headers());
        let cancel = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        [call, cancel].concat()
    })
    .await;
}

/// Headers without end: in frames that never say that they were the last; of a thousand times the
/// same large header, in few bytes; and large as they are.
pub async fn headers(stage: &Stage) {
    let value = vec![b'a'; 4 << 10];
    // A name and a value that are kept, then the same again and again in a byte each.
    let kept = literal(0x40, b"x-kept", &value[..3 << 10]);
    let bomb = [call_headers(), kept, vec![0x80 | 62; 8 << 10]].concat();
    let large: Vec<u8> = (0..3).flat_map(|_| literal(0, b"x-large", &value)).collect();
    let large = [call_headers(), large].concat();
    repeat(stage, |stream| match stream % 3 {
        0 => frame(HEADERS, END_HEADERS | END_STREAM, stream, &bomb),
        1 => frame(HEADERS, END_HEADERS | END_STREAM, stream, &large),
        _ => {
            let more = frame(CONTINUATION, 0, stream, &literal(0, b"x-more", &value));
            [frame(HEADERS, 0, stream, &call_headers()), more.repeat(64)].concat()
        }
    })
    .await;
}

/// Writes what `burst` makes for each new call until the server has had enough, again and again.
async fn repeat(stage: &Stage, burst: impl Fn(u32) -> Vec<u8>) {
    let one = |server| {
        let burst = &burst;
        async move {
            loop {
                // The server ends it sooner or later.
                let _ = write(stage, server, burst).await;
                sleep(PAUSE).await;
            }
        }
    };
    let everywhere = stage.servers.iter().flat_map(|server| [*server; 2]);
    join_all(everywhere.map(one)).await;
}

async fn write(
    stage: &Stage,
    server: std::net::SocketAddr,
    burst: &impl Fn(u32) -> Vec<u8>,
) -> io::Result<()> {
    let (mut answers, mut stream) = split(stage.connect(server).await?);
    stream.write_all(PREFACE).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let mut some = vec![0; MOST];
    let calls = async {
        for number in (1..).step_by(2) {
            stream.write_all(&burst(number)).await?;
            stage.step();
            // So that the answers are read.
            tokio::task::yield_now().await;
        }
        io::Result::Ok(())
    };
    let ended = async { while let Ok(1..) = answers.read(&mut some).await {} };
    tokio::select! {
        written = calls => written,
        () = ended => Ok(()),
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a call that needs no message.
fn call_headers() -> Vec<u8> {
    [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/sotto.v1.Directory/Describe"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    .iter()
    .flat_map(|(name, value)| literal(0, name.as_bytes(), value.as_bytes()))
    .collect()
}

/// A header by its name and value; with `kind` 0x40 it can be meant by its number afterwards.
fn literal(kind: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
    let text = |text: &[u8]| [integer(text.len()), text.to_vec()].concat();
    [vec![kind], text(name), text(value)].concat()
}

/// An integer of 7 bits and as many more as it needs (RFC 7541, 5.1).
fn integer(number: usize) -> Vec<u8> {
    let Some(mut rest) = number.checked_sub(127) else {
        return vec![u8::try_from(number).unwrap()];
    };
    let mut bytes = vec![127];
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 0x80);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}
