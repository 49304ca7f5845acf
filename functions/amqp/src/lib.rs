//! What publisher and subscriber share below their messages: who they are to the broker, and its socket.

mod login;
mod socket;

pub use login::{Login, SecretError, login_of_secret};
pub use socket::{OwnedSocket, Remember};
