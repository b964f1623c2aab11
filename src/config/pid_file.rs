//! `--pid-file`: a file with the process id, so that other programs can send signals.

use std::fs;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The file exists while the process serves. A file that a killed process left behind is overwritten.
#[derive(Debug)]
pub struct PidFile(PathBuf);

#[derive(Debug, Error)]
#[error("cannot write the process id into {path}: {cause}", path = path.display())]
pub struct NotWritten {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

impl PidFile {
    /// # Errors
    /// The file cannot be written.
    pub fn write(path: PathBuf) -> Result<Self, NotWritten> {
        match fs::write(&path, own_line()) {
            Ok(()) => Ok(Self(path)),
            Err(cause) => Err(NotWritten { path, cause }),
        }
    }
}

impl Drop for PidFile {
    /// Leaves the file if another process has written its own id since.
    fn drop(&mut self) {
        if fs::read_to_string(&self.0).is_ok_and(|text| text == own_line()) {
            // The process is ending, so there is nowhere to report an error.
            let _ = fs::remove_file(&self.0);
        }
    }
}

fn own_line() -> String {
    format!("{}\n", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_removed_unless_another_process_owns_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mca.pid");
        fs::write(&path, "1\n").expect("left behind");
        let file = PidFile::write(path.clone()).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), own_line());
        drop(file);
        assert!(!path.exists());
        let file = PidFile::write(path.clone()).expect("written");
        fs::write(&path, "1\n").expect("another's");
        drop(file);
        assert!(path.exists());
        assert!(PidFile::write(folder.path().join("no/such/folder")).is_err());
    }
}
