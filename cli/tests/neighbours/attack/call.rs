//! Call: a gRPC call with any bytes and headers, and the status that it is answered with.

use std::{io, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{
    SendStream,
    client::{ResponseFuture, SendRequest},
};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_rustls::client::TlsStream;
use tonic::Code;

/// Longer than any call takes: who gets no answer at all is told.
const ANSWER: Duration = Duration::from_secs(60);

/// A connection for calls; dropping it closes it.
pub struct Caller {
    sender: SendRequest<Bytes>,
    connection: JoinHandle<()>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Caller {
    pub async fn new(stream: TlsStream<TcpStream>) -> io::Result<Self> {
        let (sender, connection) = h2::client::handshake(stream).await.map_err(other)?;
        let connection = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, connection })
    }

    /// Begins a call whose message is sent by whoever asks.
    pub async fn begin(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> io::Result<(ResponseFuture, SendStream<Bytes>)> {
        let mut request = http::Request::post(format!("https://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut sender = self.sender.clone().ready().await.map_err(other)?;
        sender.send_request(request.body(()).unwrap(), false).map_err(other)
    }

    /// The status of a call with this message, framed already.
    pub async fn call_with(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        framed: Bytes,
    ) -> io::Result<Code> {
        let (answer, mut message) = self.begin(path, headers).await?;
        // An early answer ends the message.
        let _ = message.send_data(framed, true);
        status(answer).await
    }

    /// Whether no further call can be made.
    pub async fn is_closed(&self) -> bool {
        self.sender.clone().ready().await.is_err()
    }

    /// The status of a call with this message.
    pub async fn call(&mut self, path: &str, message: &[u8]) -> io::Result<Code> {
        self.call_with(path, &[], framed(0, message)).await
    }
}

/// A message as gRPC frames it.
pub fn framed(compressed: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(compressed);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.extend_from_slice(message);
    framed.freeze()
}

/// The status of an answer; none in time is an error of its own kind.
pub async fn status(answer: ResponseFuture) -> io::Result<Code> {
    let read = async {
        let mut answer = answer.await.map_err(other)?;
        let mut headers = answer.headers().clone();
        let body = answer.body_mut();
        while let Some(data) = body.data().await {
            let length = data.map_err(other)?.len();
            let _ = body.flow_control().release_capacity(length);
        }
        if let Some(trailers) = body.trailers().await.map_err(other)? {
            headers.extend(trailers);
        }
        let status = headers.get("grpc-status").ok_or(io::ErrorKind::InvalidData)?;
        Ok(Code::from_bytes(status.as_bytes()))
    };
    timeout(ANSWER, read).await.map_err(|_| io::ErrorKind::TimedOut)?
}

fn other(error: h2::Error) -> io::Error {
    io::Error::other(error)
}
