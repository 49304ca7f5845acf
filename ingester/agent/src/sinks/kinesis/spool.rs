//! Records on disk: by number, in the order they came. Its calls block.
//!
//! The file is a redb database with three tables: the records that wait, those that Kinesis refuses, and sums. A change
//! is one transaction, on the disk when it returns, so that a process that is killed leaves all or nothing of it.

mod entry;
#[cfg(test)]
pub(super) mod faulty;
#[cfg(test)]
mod tests;

pub(super) use self::entry::Entry;

use redb::{
    Builder, Database, DatabaseError, Error, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition,
    TableError,
};
use std::{
    fs,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

/// Why, and the record.
const REFUSED: TableDefinition<'_, u64, (&str, &[u8])> = TableDefinition::new("refused");

const SUMS: TableDefinition<'_, &str, u64> = TableDefinition::new("sums");

/// What all records take, by [`footprint`].
const BYTES: &str = "bytes";

/// A little more than a window of records on its way through: nothing is read twice.
const CACHE: usize = 4 << 20;

/// redb's page.
const PAGE: u64 = 4096;

/// What a page and an entry in it take for themselves, at most.
const FRAME: u64 = 64;

/// A file of no more than this is left as it is when nothing is in it.
const SMALL: u64 = 8 << 20;

/// Why there is no spool.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// Another ingester has it.
    #[error("{0} is in use by another process: each ingester needs a spool of its own")]
    InUse(PathBuf),
    /// It can't be read or made.
    #[error("could not open the spool {0}: {1}")]
    Failed(PathBuf, Error),
}

/// Opens the database, and says how large its file is.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    path: PathBuf,
    /// Takes the file's place.
    #[cfg(test)]
    faulty: Option<faulty::Disk>,
}

/// What is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Contents {
    /// How many records.
    pub(super) records: u64,
    /// What they take on disk, about.
    pub(super) bytes: u64,
    /// From the number of the first to one after the last.
    pub(super) numbers: Range<u64>,
    /// How many records are there that Kinesis refused.
    pub(super) refused: u64,
}

/// A change, done as a whole or not at all.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Numbers that Kinesis has, or that may be there by mistake. It is no error when one isn't.
    pub(super) remove: Vec<u64>,
    /// Records, by ascending numbers that were never used.
    pub(super) append: Vec<(u64, Entry)>,
    /// What Kinesis refuses, and why.
    pub(super) refuse: Vec<(Entry, String)>,
}

/// Records in their order.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) entries: Vec<(u64, Entry)>,
    /// How many are of another form. They stay where they are.
    pub(super) unreadable: usize,
    /// From where to read on.
    pub(super) next: u64,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Spool {
    database: Database,
    path: PathBuf,
}

/// A spool that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) spool: Spool,
    pub(super) contents: Contents,
    /// Where a file was put that no longer made sense.
    pub(super) damaged: Option<PathBuf>,
}

/// What the data of a record takes in the file, about: entries share a page as far as they fit, and larger ones have
/// pages of their own, a power of two.
pub(super) fn footprint(data: usize) -> u64 {
    let entry = data as u64 + FRAME;
    if entry >= PAGE { entry.next_power_of_two() } else { PAGE / (PAGE / entry) }
}

impl Change {
    /// Whether it changes nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.append.is_empty() && self.refuse.is_empty()
    }
}

impl Storage {
    /// A file, made when it isn't there, with its folder.
    pub(super) fn file(path: PathBuf) -> Self {
        Self {
            path,
            #[cfg(test)]
            faulty: None,
        }
    }

    /// A disk that fails when told to.
    #[cfg(test)]
    pub(super) fn faulty(disk: &faulty::Disk) -> Self {
        Self { path: "faulty".into(), faulty: Some(disk.clone()) }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it. A file that is damaged is put aside, and a new one begun.
    pub(super) fn open(&self) -> Result<Opened, OpenError> {
        let failed = |error: Error| OpenError::Failed(self.path.clone(), error);
        let (database, damaged) = match self.database() {
            Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
                return Err(OpenError::InUse(self.path.clone()));
            }
            Err(error) if self.is_damaged(&error) => {
                let aside = self.put_aside().map_err(|error| failed(error.into()))?;
                (self.database().map_err(|error| failed(error.into()))?, Some(aside))
            }
            opened => (opened.map_err(|error| failed(error.into()))?, None),
        };
        let spool = Spool { database, path: self.path.clone() };
        // A disk that is full can still be read.
        let contents = match spool.contents().map_err(failed)? {
            Some(contents) => contents,
            None => spool.apply(&Change::default()).map_err(failed)?,
        };
        Ok(Opened { spool, contents, damaged })
    }

    /// Whether it was a spool once. What never was one is somebody's, and stays where it is.
    fn is_damaged(&self, error: &DatabaseError) -> bool {
        match error {
            DatabaseError::Storage(StorageError::Corrupted(_)) | DatabaseError::UpgradeRequired(_) => true,
            DatabaseError::Storage(StorageError::Io(error)) => {
                error.kind() == io::ErrorKind::InvalidData && is_blank(&self.path)
            }
            _ => false,
        }
    }

    fn put_aside(&self) -> io::Result<PathBuf> {
        #[cfg(test)]
        if let Some(disk) = &self.faulty {
            disk.replace();
            return Ok("elsewhere".into());
        }
        put_aside(&self.path)
    }

    fn database(&self) -> Result<Database, DatabaseError> {
        #[cfg(test)]
        if let Some(disk) = &self.faulty {
            return Builder::new().set_cache_size(CACHE).create_with_backend(disk.backend()?);
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        Builder::new().set_cache_size(CACHE).create(&self.path)
    }
}

impl Spool {
    /// Makes a change, and says what there is after it.
    pub(super) fn apply(&self, change: &Change) -> Result<Contents, Error> {
        let mut write = self.database.begin_write()?;
        // A large file opens at once after a crash, rather than after it was read.
        write.set_quick_repair(true);
        let contents;
        {
            let mut records = write.open_table(RECORDS)?;
            let mut refused = write.open_table(REFUSED)?;
            let mut sums = write.open_table(SUMS)?;
            let mut bytes = sums.get(BYTES)?.map_or(0, |bytes| bytes.value());
            for number in &change.remove {
                if let Some(removed) = records.remove(number)? {
                    bytes = bytes.saturating_sub(footprint(removed.value().len()));
                }
            }
            for (number, entry) in &change.append {
                let data = entry.encode();
                bytes += footprint(data.len());
                records.insert(number, &*data)?;
            }
            refuse(&mut refused, &change.refuse)?;
            sums.insert(BYTES, bytes)?;
            contents = self::contents(&records, &refused, &sums)?;
        }
        write.commit()?;
        Ok(contents)
    }

    /// What is in it; nothing if it is new.
    fn contents(&self) -> Result<Option<Contents>, Error> {
        let read = self.database.begin_read()?;
        let (records, refused, sums) = match (read.open_table(RECORDS), read.open_table(REFUSED), read.open_table(SUMS))
        {
            (Err(TableError::TableDoesNotExist(_)), ..) => return Ok(None),
            (records, refused, sums) => (records?, refused?, sums?),
        };
        contents(&records, &refused, &sums).map(Some)
    }

    /// Records from `numbers`, in their order, until they take that many bytes, but one at least.
    pub(super) fn read(&self, numbers: Range<u64>, bytes: u64) -> Result<Page, Error> {
        let read = self.database.begin_read()?;
        let records = read.open_table(RECORDS)?;
        let mut page = Page { next: numbers.end, ..Page::default() };
        let mut taken = 0;
        for record in records.range(numbers)? {
            let (number, data) = record?;
            if taken >= bytes && !page.entries.is_empty() {
                page.next = number.value();
                break;
            }
            taken += footprint(data.value().len());
            match Entry::decode(data.value()) {
                Some(entry) => page.entries.push((number.value(), entry)),
                None => page.unreadable += 1,
            }
        }
        Ok(page)
    }

    /// Gives back what the file takes when nothing waits in it.
    pub(super) fn shrink(&mut self) -> Result<(), Error> {
        // One pass frees pages that only the next can give back.
        while self.database.compact()? {}
        Ok(())
    }

    /// Whether it is worth [shrinking](Self::shrink) when nothing waits in it.
    pub(super) fn is_large(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|file| file.len() > SMALL)
    }

    /// Each record that Kinesis refused, and why.
    pub(super) fn refused(&self) -> Result<Vec<(Entry, String)>, Error> {
        let read = self.database.begin_read()?;
        let refused = read.open_table(REFUSED)?;
        let mut entries = Vec::new();
        for entry in refused.iter()? {
            let (_, value) = entry?;
            let (why, data) = value.value();
            entries.extend(Entry::decode(data).map(|entry| (entry, why.to_owned())));
        }
        Ok(entries)
    }
}

fn refuse(table: &mut Table<'_, u64, (&str, &[u8])>, entries: &[(Entry, String)]) -> Result<(), Error> {
    let last = table.last()?.map(|(number, _)| number.value());
    let numbers = last.map_or(0, |last| last + 1)..;
    for (number, (entry, why)) in numbers.zip(entries) {
        table.insert(number, (why.as_str(), &*entry.encode()))?;
    }
    Ok(())
}

fn contents(
    records: &impl ReadableTable<u64, &'static [u8]>,
    refused: &impl ReadableTable<u64, (&'static str, &'static [u8])>,
    sums: &impl ReadableTable<&'static str, u64>,
) -> Result<Contents, Error> {
    let first = records.first()?.map_or(0, |(number, _)| number.value());
    let end = records.last()?.map_or(0, |(number, _)| number.value() + 1);
    Ok(Contents {
        records: records.len()?,
        bytes: sums.get(BYTES)?.map_or(0, |bytes| bytes.value()),
        numbers: first..end,
        refused: refused.len()?,
    })
}

/// Whether it begins with zeros, as some file systems leave a file after a power cut.
fn is_blank(path: &Path) -> bool {
    let mut head = [1; 64];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head.iter().all(|byte| *byte == 0)
}

/// Gives a file another name, which no other has, unless there are a thousand.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let named = |number: u32| path.with_added_extension(format!("damaged-{number}"));
    let aside = (1..1000).map(named).find(|aside| !aside.exists()).unwrap_or_else(|| named(1000));
    fs::rename(path, &aside)?;
    Ok(aside)
}
