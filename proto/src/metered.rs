//! Metered: a stream whose bytes somebody counts.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counts the bytes of one stream; dropped with it.
pub trait Meter: fmt::Debug + Send + Sync {
    /// So many bytes came in.
    fn received(&self, bytes: usize);

    /// So many bytes went out.
    fn sent(&self, bytes: usize);
}

/// Nobody counts.
impl Meter for () {
    fn received(&self, _: usize) {}

    fn sent(&self, _: usize) {}
}

impl<M: Meter + ?Sized> Meter for Box<M> {
    fn received(&self, bytes: usize) {
        (**self).received(bytes);
    }

    fn sent(&self, bytes: usize) {
        (**self).sent(bytes);
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub struct Metered<S, M> {
    stream: S,
    meter: M,
}

impl<S, M: Meter> Metered<S, M> {
    /// Counts the bytes of `stream` from now on.
    pub fn new(stream: S, meter: M) -> Self {
        Self { stream, meter }
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    fn wrote(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = polled {
            self.meter.sent(written);
        }
        polled
    }
}

impl<S: AsyncRead + Unpin, M: Meter + Unpin> AsyncRead for Metered<S, M> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.meter.received(buffer.filled().len().saturating_sub(before));
        polled
    }
}

impl<S: AsyncWrite + Unpin, M: Meter + Unpin> AsyncWrite for Metered<S, M> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wrote(polled)
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
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Count(Arc<[AtomicUsize; 2]>);

    impl Meter for Count {
        fn received(&self, bytes: usize) {
            self.0[0].fetch_add(bytes, Relaxed);
        }

        fn sent(&self, bytes: usize) {
            self.0[1].fetch_add(bytes, Relaxed);
        }
    }

    #[tokio::test]
    async fn every_byte_of_a_stream_is_counted_once_in_its_direction() {
        let count = Count::default();
        let (near, mut far) = tokio::io::duplex(7);
        let mut near = Metered::new(near, count.clone());
        let writing = tokio::spawn(async move {
            far.write_all(&[1; 100]).await.unwrap();
            far.read_exact(&mut [0; 30]).await.unwrap();
        });
        near.read_exact(&mut [0; 100]).await.unwrap();
        near.write_all(&[2; 30]).await.unwrap();
        writing.await.unwrap();
        assert_eq!(count.0.each_ref().map(|bytes| bytes.load(Relaxed)), [100, 30]);
    }
}
