//! Key files: one Ed25519 seed per file, readable by its owner alone.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use mpc::sign::Signer;
use proto::chance;
use rand::RngExt as _;
use zeroize::Zeroizing;

use crate::error::plain;

const PREFIX: &str = "sotto-ed25519-seed:";
/// Longer files are no key files.
const MAX_BYTES: u64 = 1024;

/// Why a key cannot be used. Never says anything of the key itself.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{}: the key file cannot be read: {}", path.display(), plain(.source))]
    Unreadable {
        /// The key file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("{}: the key file cannot be created: {}", path.display(), plain(.source))]
    NotCreated {
        /// The key file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// There is something at the place of a new key.
    #[error(
        "{}: there is a file already, and keys are never overwritten: choose another name, \
         or print its public key with `sotto keys show`",
        path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read or write the file.
    #[error("{0}: the key file is open to others (mode {mode:03o}): run `chmod 600 {0}`", path.display())]
    OpenToOthers {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{}:1: a key file is one line `{PREFIX}` and 64 hexadecimal digits", path.display())]
    NotAKey {
        /// The key file.
        path: PathBuf,
    },
}

/// Reads the key in `path`.
pub fn read(path: &Path) -> Result<Signer, KeyError> {
    let unreadable = |source| KeyError::Unreadable { path: path.to_owned(), source };
    let meta = fs::metadata(path).map_err(unreadable)?;
    let mode = meta.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::OpenToOthers { path: path.to_owned(), mode });
    }
    let not_a_key = || KeyError::NotAKey { path: path.to_owned() };
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return Err(not_a_key());
    }
    let text = Zeroizing::new(fs::read(path).map_err(unreadable)?);
    let line = text.trim_ascii_end().strip_prefix(PREFIX.as_bytes()).ok_or_else(not_a_key)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(line, seed.as_mut()).map_err(|_| not_a_key())?;
    Ok(Signer::from_seed(&seed))
}

/// Draws a key and writes it to `path`, where nothing may be yet.
pub fn create(path: &Path) -> Result<Signer, KeyError> {
    write_new(path)?;
    read(path)
}

/// Reads the key in `path`, or draws one and writes it there when there is no such file.
pub fn read_or_create(path: &Path) -> Result<Signer, KeyError> {
    if !path.exists() {
        match write_new(path) {
            // Another process was faster, and its key is as good.
            Ok(()) | Err(KeyError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    read(path)
}

fn write_new(path: &Path) -> Result<(), KeyError> {
    link_new(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
        _ => KeyError::NotCreated { path: path.to_owned(), source },
    })
}

/// Writes a whole key file aside and links it into place, so that of several processes that
/// create it at once one wins and nobody ever reads half a key.
fn link_new(path: &Path) -> io::Result<()> {
    let mut rng = chance::rng();
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{:016x}.new", rng.random::<u64>()));
    let aside = PathBuf::from(aside);
    let seed = Signer::generate(&mut rng).reveal_seed();
    let mut line = Zeroizing::new([0; PREFIX.len() + 65]);
    let (prefix, digits) = line.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(PREFIX.as_bytes());
    let (digits, end) = digits.split_at_mut(64);
    end.fill(b'\n');
    hex::encode_to_slice(seed.as_ref(), digits).map_err(io::Error::other)?;
    let written = (|| {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(line.as_ref())?;
        file.sync_all()?;
        fs::hard_link(&aside, path)
    })();
    let removed = fs::remove_file(&aside);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_created_key_is_read_again_and_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("provider.key");
        let first = read_or_create(&path).unwrap().public();
        assert_eq!(read_or_create(&path).unwrap().public(), first);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_key_takes_the_place_of_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("analyst.key");
        let first = create(&path).unwrap().public();
        assert!(matches!(create(&path), Err(KeyError::Exists { .. })));
        assert_eq!(read(&path).unwrap().public(), first);
        let dangling = dir.path().join("link.key");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &dangling).unwrap();
        assert!(matches!(create(&dangling), Err(KeyError::Exists { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_key_open_to_others_is_refused_with_its_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("provider.key");
        read_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn an_error_about_a_key_file_does_not_repeat_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("provider.key");
        read_or_create(&path).unwrap();
        let digits = "5e".repeat(31);
        fs::write(&path, format!("{PREFIX}{digits}\n")).unwrap();
        let error = read(&path).unwrap_err();
        assert!(matches!(error, KeyError::NotAKey { .. }));
        assert!(!format!("{error} {error:?}").contains("5e5e"));
    }
}
