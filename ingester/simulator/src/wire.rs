//! A server's side of a socket, with or without TLS, that can be slow.

use std::{
    io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};
use tokio_rustls::server::TlsStream;

/// How much is written at a time while a socket is slow.
const DRIBBLE: usize = 100;

/// A connection to a client.
pub(crate) struct Wire {
    inner: Inner,
    slow: Slow,
    pause: Option<Pin<Box<Sleep>>>,
}

enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How slow a socket is: until when, and how long the pause is between 100 bytes and the next.
#[derive(Debug, Default)]
pub(crate) struct Slow(Mutex<Option<(Instant, Duration)>>);

impl Slow {
    /// At most this many bytes a second, for this long.
    pub(crate) fn down(&self, bytes_per_second: u32, duration: Duration) {
        let pause = Duration::from_secs(DRIBBLE as u64) / bytes_per_second.max(1);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now() + duration, pause));
    }

    fn pause(&self) -> Option<Duration> {
        let mut slow = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slow.is_some_and(|(until, _)| until <= Instant::now()) {
            *slow = None;
        }
        slow.map(|(_, pause)| pause)
    }
}

impl Wire {
    pub(crate) fn plain(socket: TcpStream) -> Self {
        Self::new(Inner::Plain(socket))
    }

    pub(crate) fn tls(socket: TlsStream<TcpStream>) -> Self {
        Self::new(Inner::Tls(Box::new(socket)))
    }

    fn new(inner: Inner) -> Self {
        Self { inner, slow: Slow::default(), pause: None }
    }

    pub(crate) fn slow(&self) -> &Slow {
        &self.slow
    }

    /// Dropping it then sends RST instead of FIN.
    pub(crate) fn reset_on_drop(&self) {
        let socket = match &self.inner {
            Inner::Plain(socket) => socket,
            Inner::Tls(socket) => socket.get_ref().0,
        };
        if let Err(error) = socket.set_zero_linger() {
            tracing::warn!(%error, "A connection closes cleanly although it should not.");
        }
    }

    fn inner(&mut self) -> Pin<&mut (dyn Both + '_)> {
        match &mut self.inner {
            Inner::Plain(socket) => Pin::new(socket),
            Inner::Tls(socket) => Pin::new(&mut **socket),
        }
    }

    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        Poll::Ready(())
    }
}

trait Both: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_read(context, to)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_pause(context));
        let Some(pause) = self.slow.pause() else { return self.inner().poll_write(context, bytes) };
        let written = ready!(self.inner().poll_write(context, &bytes[..bytes.len().min(DRIBBLE)]));
        self.pause = Some(Box::pin(sleep_until(Instant::now() + pause)));
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(context)
    }
}
