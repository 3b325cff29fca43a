//! Key files: one Ed25519 seed in one line, readable by its owner alone.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use mpc::sign::Signer;
use rand::CryptoRng;
use zeroize::Zeroizing;

/// What stands before the 64 hexadecimal digits of the seed.
const PREFIX: &str = "sotto-ed25519-seed:";
/// More than a key file ever has; a larger file is not read.
const MAX_BYTES: u64 = 1024;

/// Why a key file cannot be used. No variant holds anything of the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no such file.
    #[error(
        "{path}: there is no key file here: make one with `sotto certs`, or restore your backup"
    )]
    Missing {
        /// The file.
        path: String,
    },
    /// The file cannot be read or written.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A key would be overwritten.
    #[error(
        "{path}: there is a file here already, and keys are never overwritten: move it away first"
    )]
    Exists {
        /// The file.
        path: String,
    },
    /// Others than the owner may read the file.
    #[error("{path}: others can read this key (mode {mode:03o}): run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a key.
    #[error(
        "{path}:1: a key file is one line, `{PREFIX}` and 64 hexadecimal digits: \
             restore it from your backup"
    )]
    Malformed {
        /// The file.
        path: String,
    },
}

/// Reads a key file.
pub fn load(path: &Path) -> Result<Signer, KeyError> {
    let text = read_secret(path)?;
    let malformed = || KeyError::Malformed { path: name(path) };
    let digits = text.trim_ascii_end().strip_prefix(PREFIX.as_bytes()).ok_or_else(malformed)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, seed.as_mut()).map_err(|_| malformed())?;
    Ok(Signer::from_seed(&seed))
}

/// Draws a key and writes it to a new file.
pub fn create(path: &Path, rng: &mut impl CryptoRng) -> Result<Signer, KeyError> {
    let signer = Signer::generate(rng);
    let mut digits = Zeroizing::new([0; 64]);
    // 32 bytes are 64 digits, so this cannot fail; if it did, the file would not be written.
    hex::encode_to_slice(signer.reveal_seed().as_slice(), digits.as_mut())
        .map_err(|_| KeyError::Malformed { path: name(path) })?;
    let mut line = Zeroizing::new(Vec::with_capacity(PREFIX.len() + digits.len() + 1));
    line.extend_from_slice(PREFIX.as_bytes());
    line.extend_from_slice(digits.as_slice());
    line.push(b'\n');
    write_secret(path, &line)?;
    Ok(signer)
}

/// Reads a key file, or creates it if there is none.
pub fn load_or_create(path: &Path, rng: &mut impl CryptoRng) -> Result<Signer, KeyError> {
    if path.exists() { load(path) } else { create(path, rng) }
}

/// Reads a small file that must be closed to everybody but its owner.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let io = |cause| KeyError::Io { path: name(path), cause };
    let file = File::open(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => KeyError::Missing { path: name(path) },
        _ => io(cause),
    })?;
    check_mode(path, &file)?;
    // Room for the whole file, so that no reallocation leaves a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(2 * MAX_BYTES as usize));
    file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(io)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(KeyError::Malformed { path: name(path) });
    }
    Ok(text)
}

/// Writes a new file that is closed to everybody but its owner, and makes it durable.
pub(crate) fn write_secret(path: &Path, text: &[u8]) -> Result<(), KeyError> {
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let written = file.write_all(text).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half a key would be taken for a damaged one by the next start.
            let _ = std::fs::remove_file(path);
        }
        written?;
        sync_directory_of(path)
    };
    write().map_err(|cause: io::Error| match cause.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists { path: name(path) },
        _ => KeyError::Io { path: name(path), cause },
    })
}

/// Makes the file's entry in its directory durable, where the system has such a thing.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) if cfg!(unix) && !directory.as_os_str().is_empty() => {
            File::open(directory)?.sync_all()
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata().map_err(|cause| KeyError::Io { path: name(path), cause })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Exposed { path: name(path), mode }) }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path, _file: &File) -> Result<(), KeyError> {
    Ok(())
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        (directory, path)
    }

    #[test]
    fn a_created_key_is_read_back_and_never_overwritten() {
        let (_directory, path) = place();
        let created = create(&path, &mut rand::rng()).unwrap();
        assert_eq!(load(&path).unwrap().public(), created.public());
        assert!(matches!(create(&path, &mut rand::rng()), Err(KeyError::Exists { .. })));
        let again = load_or_create(&path, &mut rand::rng()).unwrap();
        assert_eq!(again.public(), created.public());
        let text = std::fs::read_to_string(&path).unwrap();
        let seed = hex::encode(created.reveal_seed().as_slice());
        assert_eq!(text, format!("sotto-ed25519-seed:{seed}\n"));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, path) = place();
        create(&path, &mut rand::rng()).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for exposed in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(exposed)).unwrap();
            let message = load(&path).err().unwrap().to_string();
            assert!(message.contains(&format!("{exposed:03o}")), "{message}");
            assert!(message.ends_with(&format!("run `chmod 600 {}`", path.display())), "{message}");
        }
    }

    #[test]
    fn a_damaged_key_is_refused_without_being_quoted() {
        let (_directory, path) = place();
        assert!(matches!(load(&path), Err(KeyError::Missing { .. })));
        let long = format!("{PREFIX}{}", "ab".repeat(2_000));
        for text in ["", "sotto-ed25519-seed:", "sotto-ed25519-seed:abcd\n", "abababab", &long] {
            let _ = std::fs::remove_file(&path);
            write_secret(&path, text.as_bytes()).unwrap();
            let error = load(&path).err().unwrap();
            assert!(matches!(error, KeyError::Malformed { .. }), "{error}");
            assert!(!error.to_string().contains("abab"));
        }
    }
}
