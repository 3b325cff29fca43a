//! Ending: a stream that somebody else can end, whoever waits on it.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a stream ends with: a future that is done when the stream has to end.
pub type End = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A stream that fails from the moment on that its end is there.
pub struct Ending<S> {
    stream: S,
    /// None: nobody ends it.
    end: Option<End>,
}

impl<S> Ending<S> {
    /// `stream`, until `end`.
    pub fn new(stream: S, end: Option<End>) -> Self {
        Self { stream, end }
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Whoever waits for the stream waits for its end, too.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().map(|end| end.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => {
                // A future is not asked again once it is done.
                self.end = Some(Box::pin(std::future::ready(())));
                let text = "this side has ended the connection";
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, text))
            }
            _ => Ok(()),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Ending<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ending({:?})", self.stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ending<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ending<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::oneshot,
    };

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_a_stream_hears_of_its_end() {
        let (near, mut far) = tokio::io::duplex(64);
        let (end, ended) = oneshot::channel::<()>();
        let ended: End = Box::pin(async { drop(ended.await) });
        let mut near = Ending::new(near, Some(ended));
        far.write_all(b"a").await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'a');
        let waiting = tokio::spawn(async move {
            let first = near.read_u8().await.unwrap_err();
            (first, near.write_all(b"b").await.unwrap_err(), near.read_u8().await.unwrap_err())
        });
        end.send(()).unwrap();
        let (first, second, third) = waiting.await.unwrap();
        for error in [first, second, third] {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        }
    }
}
