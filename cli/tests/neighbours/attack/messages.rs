//! Messages: too large, never complete, of too many fields, and compressed.

use std::{io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::future::join_all;
use std::io::Write as _;
use tokio::time::sleep;
use tonic::Code;

use super::{
    PAUSE, Stage,
    call::{Caller, framed},
};

const SUBMIT: &str = "/sotto.v1.Submissions/Submit";
const PROVE: &str = "/sotto.v1.Audit/Prove";
/// More than a message may have.
const HUGE: usize = 64 << 20;
/// As much as an upload may have.
const MOST: usize = 2 << 20;

/// Messages of 64 MiB, whose sender reads no answer before all is sent.
pub async fn large(stage: &Stage) {
    let message = framed(0, &vec![0; HUGE]);
    repeat(stage, async |caller| {
        let status = caller.call_with(SUBMIT, &[], message.clone()).await;
        expect(status, &[Code::OutOfRange, Code::ResourceExhausted]);
        Ok(())
    })
    .await;
}

/// As many messages at once as a connection takes, of which all but the last byte is sent.
pub async fn incomplete(stage: &Stage) {
    let message = framed(0, &vec![0; MOST]);
    let part = message.slice(..message.len() - 1);
    let one = |number: usize| {
        let part = &part;
        async move {
            let server = stage.servers[number % stage.servers.len()];
            loop {
                let _ = hold(stage, server, part).await;
                sleep(PAUSE).await;
            }
        }
    };
    join_all((0..stage.connections.min(96)).map(one)).await;
}

async fn hold(stage: &Stage, server: SocketAddr, part: &Bytes) -> io::Result<()> {
    let mut caller = stage.caller(server).await?;
    let mut calls = Vec::new();
    for _ in 0..16 {
        let (answer, mut message) = caller.begin(SUBMIT, &[]).await?;
        message.send_data(part.clone(), false).map_err(io::Error::other)?;
        calls.push((answer, message));
        stage.step();
    }
    // Whatever is answered, the messages stay as they are.
    sleep(Duration::from_secs(5)).await;
    Ok(())
}

/// A million empty ids, a million fields that nobody knows, and groups in groups.
pub async fn many_fields(stage: &Stage) {
    let ids: Vec<u8> = [0x12, 0].repeat(1_000_000);
    let peers: Vec<u8> = [0x22, 0].repeat(1_000_000);
    let unknown: Vec<u8> = [0xf8, 0x7f, 1].repeat(1_000_000);
    let nested: Vec<u8> = vec![0x7b; 1_000_000];
    let within = nested_messages(100_000);
    repeat(stage, async |caller| {
        for (path, message) in [
            (PROVE, &ids),
            ("/sotto.v1.Peers/Start", &peers),
            (SUBMIT, &unknown),
            (SUBMIT, &nested),
            ("/sotto.v1.Audit/Record", &within),
        ] {
            let status = caller.call(path, message).await;
            let refusals = [
                Code::OutOfRange,
                Code::InvalidArgument,
                Code::PermissionDenied,
                Code::Internal,
                Code::ResourceExhausted,
            ];
            expect(status, &refusals);
            stage.step();
        }
        Ok(())
    })
    .await;
}

/// A message within a message, and so on, as far as it fits.
fn nested_messages(bytes: usize) -> Vec<u8> {
    let mut message = Vec::new();
    while message.len() < bytes.min(2_000) {
        let mut outer = vec![0x12];
        prost::encoding::encode_varint(message.len() as u64, &mut outer);
        outer.extend(message);
        message = outer;
    }
    message
}

/// Zeros that were compressed a thousand times.
pub async fn bomb(stage: &Stage) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; HUGE]).unwrap();
    let bomb = framed(1, &encoder.finish().unwrap());
    repeat(stage, async |caller| {
        let gzip = [("grpc-encoding", "gzip")];
        let status = caller.call_with(SUBMIT, &gzip, bomb.clone()).await;
        expect(status, &[Code::Unimplemented, Code::ResourceExhausted]);
        // It does not say that it is compressed.
        let status = caller.call_with(SUBMIT, &[], bomb.clone()).await;
        expect(status, &[Code::Internal, Code::Unimplemented, Code::ResourceExhausted]);
        stage.step();
        Ok(())
    })
    .await;
}

/// Calls over a connection to each server until it ends, again and again.
pub async fn repeat(stage: &Stage, call: impl AsyncFn(&mut Caller) -> io::Result<()>) {
    let one = |server: SocketAddr| {
        let call = &call;
        async move {
            loop {
                if let Ok(mut caller) = stage.caller(server).await {
                    while call(&mut caller).await.is_ok() {
                        stage.step();
                        if caller.is_closed().await {
                            break;
                        }
                    }
                }
                sleep(PAUSE).await;
            }
        }
    };
    join_all(stage.servers.iter().map(|server| one(*server))).await;
}

/// Requires a refusal of the right kind, if there is an answer: a connection may end without one.
#[track_caller]
pub fn expect(status: io::Result<Code>, allowed: &[Code]) {
    match status {
        Ok(code) => assert!(allowed.contains(&code), "{code:?} is none of {allowed:?}"),
        Err(error) => assert_ne!(error.kind(), io::ErrorKind::TimedOut, "no answer at all"),
    }
}
