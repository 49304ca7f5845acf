//! The file: for Lambda a zip with one executable, `bootstrap`, and nothing that depends on when or where it was made;
//! else the executable.

use std::{
    fs,
    io::{self, Cursor, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter, result::ZipResult, write::SimpleFileOptions};

/// What Lambda starts.
const NAME: &str = "bootstrap";
/// Readable and executable for everyone: Lambda and systemd run it as a user of its own.
const MODE: u32 = 0o755;
/// 7 % smaller than a level of 1; 9 takes twice as long for another half of a percent.
const LEVEL: i64 = 6;

/// Makes a file a package with this executable; says whether it had to be written. A package that holds it already is
/// left as it is: to unpack it takes a tenth of the time that packing does.
pub(crate) fn write(path: &Path, executable: &[u8]) -> io::Result<bool> {
    if holds(path, executable).unwrap_or(false) {
        return Ok(false);
    }
    replace(path, &zip(executable)?)?;
    Ok(true)
}

/// Makes a file this executable; says whether it had to be written.
pub(crate) fn write_plain(path: &Path, executable: &[u8]) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|content| content == executable) {
        return Ok(false);
    }
    replace(path, executable)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    Ok(true)
}

fn zip(executable: &[u8]) -> ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(MODE);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(NAME, options)?;
    archive.write_all(executable)?;
    Ok(archive.finish()?.into_inner())
}

/// Whether a file is what [`zip`] would make of an executable, but for how well it is compressed.
fn holds(path: &Path, executable: &[u8]) -> ZipResult<bool> {
    let mut archive = ZipArchive::new(Cursor::new(fs::read(path)?))?;
    if archive.len() != 1 {
        return Ok(false);
    }
    let mut entry = archive.by_index(0)?;
    let is_ours = entry.name() == NAME
        && entry.unix_mode().is_some_and(|mode| mode & 0o777 == MODE)
        && entry.compression() == CompressionMethod::Deflated
        && entry.last_modified() == Some(DateTime::DEFAULT)
        && entry.size() == executable.len() as u64;
    let mut content = Vec::with_capacity(executable.len());
    Ok(is_ours && entry.read_to_end(&mut content).is_ok() && content == executable)
}

/// The first bytes of a package's executable.
pub(crate) fn beginning(path: &Path) -> ZipResult<[u8; 64]> {
    let mut beginning = [0; 64];
    if path.extension().is_some_and(|extension| extension == "zip") {
        let mut archive = ZipArchive::new(io::BufReader::new(fs::File::open(path)?))?;
        archive.by_name(NAME)?.read_exact(&mut beginning)?;
    } else {
        fs::File::open(path)?.read_exact(&mut beginning)?;
    }
    Ok(beginning)
}

/// Whoever reads the file meanwhile sees the old one or the new one, never half of it.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension(format!("{}.part", std::process::id()));
    let replaced = fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(zipped: Vec<u8>) -> (String, Option<u32>, Vec<u8>) {
        let mut archive = ZipArchive::new(Cursor::new(zipped)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_index(0).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.name().to_owned(), entry.unix_mode(), content)
    }

    /// Something that compresses about as well as machine code: bytes of which small ones are frequent.
    fn executable(bytes: usize) -> Vec<u8> {
        let states =
            std::iter::successors(Some(1_u32), |state| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)));
        states.map(|state| ((state >> 28) * (state >> 24 & 15)).to_le_bytes()[0]).take(bytes).collect()
    }

    #[test]
    fn entry_is_an_executable_called_bootstrap() {
        let (name, mode, content) = entry(zip(b"code").unwrap());
        assert_eq!((name.as_str(), mode, content.as_slice()), ("bootstrap", Some(0o100_755), &b"code"[..]));
    }

    #[test]
    fn same_executable_gives_the_same_bytes_on_every_machine() {
        let zipped = zip(&executable(100_000)).unwrap();
        assert_eq!(zipped, zip(&executable(100_000)).unwrap());
        // A dependency that turns on another deflater in flate2, or a new version that compresses otherwise, changes
        // every package once; this says so.
        assert_eq!((zipped.len(), crc32fast::hash(&zipped)), (78_814, 3_836_950_170));
    }

    #[test]
    fn entry_has_nothing_but_its_content() {
        let mut archive = ZipArchive::new(Cursor::new(zip(b"code").unwrap())).unwrap();
        assert_eq!(archive.comment(), b"");
        let entry = archive.by_index(0).unwrap();
        assert_eq!(entry.last_modified().unwrap().to_string(), "1980-01-01 00:00:00");
        assert_eq!((entry.extra_data().unwrap_or_default(), entry.comment()), (&[][..], ""));
    }

    #[test]
    fn package_is_written_once_for_each_executable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/enrich.zip");
        assert!(write(&path, b"first").unwrap());
        let first = fs::read(&path).unwrap();
        assert!(!write(&path, b"first").unwrap());
        assert!(write(&path, b"other").unwrap());
        assert_ne!(fs::read(&path).unwrap(), first);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn what_is_no_package_of_ours_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("enrich.zip");
        let ours = zip(b"code").unwrap();
        let not_executable = {
            let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
            archive.start_file(NAME, SimpleFileOptions::default().unix_permissions(0o644)).unwrap();
            archive.write_all(b"code").unwrap();
            archive.finish().unwrap().into_inner()
        };
        for other in [b"".to_vec(), b"no zip".to_vec(), ours[..ours.len() / 2].to_vec(), not_executable] {
            fs::write(&path, other).unwrap();
            assert!(write(&path, b"code").unwrap());
            assert_eq!(fs::read(&path).unwrap(), ours);
        }
    }

    proptest! {
        #[test]
        fn content_survives(content in proptest::collection::vec(any::<u8>(), 0..4096)) {
            prop_assert_eq!(entry(zip(&content).unwrap()).2, content);
        }
    }
}
