//! A connection's socket, closed by its owner.

use std::{
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A second handle on a connection's socket. Dropping it closes the socket for lapin too, whose thread would otherwise wait
/// for a handshake as long as it takes, or send what it has left, some time later, beside its successor.
#[derive(Debug, Default)]
pub struct OwnedSocket(Remember);

/// Where the socket is put as soon as there is one.
#[derive(Debug, Clone, Default)]
pub struct Remember(Arc<Mutex<Socket>>);

#[derive(Debug, Default)]
enum Socket {
    #[default]
    Unconnected,
    Connected(TcpStream),
    GivenUp,
}

impl OwnedSocket {
    /// For whoever connects.
    pub fn remember(&self) -> Remember {
        self.0.clone()
    }

    /// Leaves the socket to lapin: dropping this closes nothing any more.
    pub fn release(self) {
        *self.0.lock() = Socket::Unconnected;
    }
}

impl Drop for OwnedSocket {
    fn drop(&mut self) {
        if let Socket::Connected(stream) = std::mem::replace(&mut *self.0.lock(), Socket::GivenUp) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Remember {
    /// Remembers the socket for its owner.
    ///
    /// # Errors
    ///
    /// The owner has given up meanwhile, or the system has no more handles.
    pub fn connected(&self, stream: &impl AsFd) -> io::Result<()> {
        let second = TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        let mut socket = self.lock();
        if matches!(*socket, Socket::GivenUp) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        *socket = Socket::Connected(second);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Socket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, net::TcpListener};

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (here, listener.accept().unwrap().0)
    }

    #[test]
    fn dropped_owner_closes_the_socket_and_refuses_a_later_one() {
        let (here, mut there) = connection();
        let socket = OwnedSocket::default();
        let remember = socket.remember();
        remember.connected(&here).unwrap();
        drop(socket);
        assert_eq!(there.read(&mut [0]).unwrap(), 0, "closed, though `here` is still held");
        assert_eq!(remember.connected(&here).unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }

    #[test]
    fn released_socket_stays_open() {
        let (here, there) = connection();
        let socket = OwnedSocket::default();
        socket.remember().connected(&here).unwrap();
        socket.release();
        there.set_nonblocking(true).unwrap();
        let read = (&there).read(&mut [0]).unwrap_err();
        assert_eq!(read.kind(), io::ErrorKind::WouldBlock);
    }
}
