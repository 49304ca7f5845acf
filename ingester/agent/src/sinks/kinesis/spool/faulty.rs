//! A disk in memory that fails when told to.

use redb::{DatabaseError, StorageBackend};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The disk. It outlives the databases on it.
#[derive(Debug, Clone, Default)]
pub(in crate::sinks::kinesis) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trouble of its own")]
struct State {
    data: Vec<u8>,
    is_full: bool,
    is_unwritable: bool,
    is_broken: bool,
    is_in_use: bool,
    opened: usize,
}

impl Disk {
    /// Whether nothing more can be written than what is there already.
    pub(in crate::sinks::kinesis) fn full(&self, full: bool) {
        self.state().is_full = full;
    }

    /// Whether nothing new can be written, though it can be opened: what the file begins with is written in place.
    pub(in crate::sinks::kinesis) fn unwritable(&self, unwritable: bool) {
        self.state().is_unwritable = unwritable;
    }

    /// Whether nothing can be read or written.
    pub(in crate::sinks::kinesis) fn broken(&self, broken: bool) {
        self.state().is_broken = broken;
    }

    /// How often it was opened.
    pub(in crate::sinks::kinesis) fn opened(&self) -> usize {
        self.state().opened
    }

    /// Writes over what the database begins with, but for its name, as a controller gone mad.
    pub(in crate::sinks::kinesis) fn damage(&self) {
        self.state().data.iter_mut().skip(16).take(500).for_each(|byte| *byte = 0xa5);
    }

    pub(super) fn backend(&self) -> Result<Backend, DatabaseError> {
        let mut state = self.state();
        if state.is_in_use {
            return Err(DatabaseError::DatabaseAlreadyOpen);
        }
        state.works()?;
        state.is_in_use = true;
        state.opened += 1;
        Ok(Backend(self.clone()))
    }

    /// A new one in place of what is there.
    pub(super) fn replace(&self) {
        self.state().data.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The database's header.
const HEADER: u64 = 4096;

impl State {
    fn works(&self) -> io::Result<()> {
        if self.is_broken { Err(io::Error::other("told to fail")) } else { Ok(()) }
    }
}

/// The disk while a database has it.
#[derive(Debug)]
pub(super) struct Backend(Disk);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        let state = self.0.state();
        state.works()?;
        Ok(state.data.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.state();
        state.works()?;
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&state.data[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.state();
        state.works()?;
        let len = usize::try_from(len).unwrap();
        if state.is_full && len > state.data.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.data.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.state().works()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.state();
        state.works()?;
        if state.is_unwritable && offset >= HEADER {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let offset = usize::try_from(offset).unwrap();
        state.data[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.0.state().is_in_use = false;
        Ok(())
    }
}
