//! What is done on the thread that may block.

use super::super::spool::{Change, Contents, OpenError, Page, Spool, Storage};
use std::{ops::Range, path::PathBuf};
use tokio::task::JoinError;

/// One visit to the disk. The spool is opened first if it isn't.
#[derive(Debug, Default)]
pub(in crate::sinks::kinesis) struct Job {
    pub(super) change: Change,
    /// From where to where, and how many bytes at most. What the change appends can be read.
    pub(super) reads: Option<(Range<u64>, u64)>,
    pub(super) shrinks: bool,
    /// Whether even nothing is written: it says if writing works.
    pub(super) tries_writing: bool,
}

/// Where a job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Open,
    Change,
    Read,
}

/// How a job failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) text: String,
}

/// What came of it.
#[derive(Debug, Default)]
pub(in crate::sinks::kinesis) struct Done {
    /// Still open, unless something failed.
    pub(super) spool: Option<Spool>,
    /// What was in it when it was opened.
    pub(super) opened: Option<Contents>,
    /// Where a file was put that no longer made sense.
    pub(super) damaged: Option<PathBuf>,
    /// What is in it now, if the change was made.
    pub(super) changed: Option<Contents>,
    pub(super) page: Option<Page>,
    pub(super) failure: Option<Failure>,
    /// Another process has it.
    pub(super) in_use: Option<OpenError>,
    /// What was to be removed.
    pub(super) removals: Vec<u64>,
}

impl Job {
    /// Whether it is no reason to visit the disk: removing alone isn't.
    pub(super) fn is_empty(&self) -> bool {
        self.change.append.is_empty()
            && self.change.refuse.is_empty()
            && self.reads.is_none()
            && !self.tries_writing
            && !self.shrinks
    }

    pub(super) fn run(self, spool: Option<Spool>, storage: &Storage) -> Done {
        let mut done = Done { removals: self.change.remove.clone(), ..Done::default() };
        let spool = match spool {
            Some(spool) => spool,
            None => match storage.open() {
                Ok(opened) => {
                    done.opened = Some(opened.contents);
                    done.damaged = opened.damaged;
                    opened.spool
                }
                Err(error) => return done.not_open(error),
            },
        };
        match self.work(spool, &mut done) {
            Ok(spool) => done.spool = Some(spool),
            Err((step, error)) => {
                let text = format!("the spool {} failed: {error}", storage.path().display());
                done.failure = Some(Failure { step, text });
            }
        }
        done
    }

    fn work(self, mut spool: Spool, done: &mut Done) -> Result<Spool, (Step, redb::Error)> {
        if !self.change.is_empty() || self.tries_writing {
            done.changed = Some(spool.apply(&self.change).map_err(|error| (Step::Change, error))?);
        }
        if let Some((numbers, bytes)) = self.reads {
            done.page = Some(spool.read(numbers, bytes).map_err(|error| (Step::Read, error))?);
        }
        if self.shrinks && spool.is_large() {
            spool.shrink().map_err(|error| (Step::Change, error))?;
        }
        Ok(spool)
    }
}

impl Done {
    /// A job that ended in the middle: what it had in hand is in memory still.
    pub(super) fn panicked(panicked: &JoinError) -> Self {
        let failure = Failure { step: Step::Read, text: format!("the spool failed: {panicked}") };
        Self { failure: Some(failure), ..Self::default() }
    }

    fn not_open(mut self, error: OpenError) -> Self {
        self.failure = Some(Failure { step: Step::Open, text: error.to_string() });
        self.in_use = matches!(error, OpenError::InUse(_)).then_some(error);
        self
    }
}
