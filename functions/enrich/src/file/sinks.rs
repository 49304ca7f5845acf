//! Where a pass over a file keeps items and refused lines until they are written.

use crate::{
    Failure,
    articles::{Articles, Stored},
    quarantine::{Quarantine, Quarantined},
};
use anyhow::Context;
use news::EnrichedItem;
use runtime::Budget;
use std::{
    cell::RefCell,
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write, stderr},
    path::Path,
};

/// The enriched items of a batch, as lines, until they are written in the order of the input.
#[derive(Debug, Default)]
pub(super) struct Enriched {
    lines: RefCell<HashMap<String, Vec<u8>>>,
}

impl Enriched {
    /// An item's line, once.
    pub(super) fn take(&mut self, id: &str) -> Option<Vec<u8>> {
        self.lines.get_mut().remove(id)
    }
}

impl Articles for Enriched {
    async fn known(&self, ids: &[&str], _: Budget) -> Vec<Result<bool, Failure>> {
        vec![Ok(false); ids.len()]
    }

    async fn store(&self, items: &[&EnrichedItem], _: Budget) -> Vec<Result<Stored, Failure>> {
        let mut lines = self.lines.borrow_mut();
        for item in items {
            let mut line = serde_json::to_vec(item).expect("texts, numbers and times always become JSON");
            line.push(b'\n');
            lines.insert(item.item.id.clone(), line);
        }
        vec![Ok(Stored::Now); items.len()]
    }
}

/// The refused lines of a batch, until they are written.
pub(super) struct Refused {
    out: Option<BufWriter<File>>,
    records: RefCell<Vec<Quarantined>>,
}

impl Refused {
    /// To a file as JSON Lines, or the reasons to standard error.
    pub(super) fn to(path: Option<&Path>) -> anyhow::Result<Self> {
        let open = |path: &Path| File::create(path).with_context(|| format!("could not write {}", path.display()));
        let out = path.map(open).transpose()?.map(BufWriter::new);
        Ok(Self { out, records: RefCell::default() })
    }

    /// Writes what was refused since the last time.
    pub(super) fn write(&mut self) -> std::io::Result<()> {
        for record in self.records.get_mut().drain(..) {
            match &mut self.out {
                Some(out) => writeln!(out, "{}", record.to_message(usize::MAX))?,
                None => writeln!(
                    stderr(),
                    "line {}: {}: {}",
                    record.position.sequence_number.as_deref().unwrap_or("?"),
                    record.reason.code,
                    record.reason.text
                )?,
            }
        }
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Quarantine for Refused {
    async fn keep(&self, records: &[Quarantined], _: Budget) -> Vec<Result<(), Failure>> {
        self.records.borrow_mut().extend_from_slice(records);
        vec![Ok(()); records.len()]
    }
}
