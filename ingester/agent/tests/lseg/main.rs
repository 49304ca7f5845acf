//! LSEG's feeds against a simulator: real sockets, real TLS, real time.

mod check;
mod endpoints;
mod logins;
mod loss;
mod rig;
mod secrecy;
mod states;
mod stop;
