//! A small file system, and where none can be mounted, one that is told to be full.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::faulty::Faulty;

/// Room for a server, and for what it wants to be free before it goes on (16 MiB).
const SIZE: &str = "size=48m,mode=700";

/// The disk of one server, of which a test can use up the room.
pub enum SmallDisk {
    Mounted(PathBuf),
    Told(Faulty),
}

impl SmallDisk {
    /// A disk with a copy of everything in `data`, to be mounted at `place`.
    pub fn of(data: &Path, place: PathBuf) -> Self {
        fs::create_dir(&place).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", SIZE, "sotto-small"]).arg(&place).output();
        let disk = match mounted {
            Ok(mounted) if mounted.status.success() => Self::Mounted(place.clone()),
            other => {
                eprintln!(
                    "!!! NO SMALL FILE SYSTEM: mount needs root, and says {other:?}.\n\
                     !!! The disk is told to be full instead, by failing_disk.c."
                );
                Self::Told(Faulty::new(place.with_extension("faulty")))
            }
        };
        for entry in fs::read_dir(data).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            // The server makes its database here.
            if !name.starts_with("sotto.db") {
                fs::copy(&path, place.join(name)).unwrap();
            }
        }
        disk
    }

    pub fn put_under(&self, serve: &mut Command) {
        if let Self::Told(faulty) = self {
            faulty.put_under(serve);
        }
    }

    /// Whether the room is really used up, so that everybody sees it.
    pub fn is_real(&self) -> bool {
        matches!(self, Self::Mounted(_))
    }

    /// Uses up all room.
    pub fn fill(&self) {
        match self {
            Self::Told(faulty) => faulty.fail("room"),
            Self::Mounted(place) => {
                let mut ballast = File::create(place.join("ballast")).unwrap();
                for size in [1 << 20, 4096] {
                    let some = vec![0x5a; size];
                    while ballast.write_all(&some).is_ok() {}
                }
            }
        }
    }

    /// Gives the room back.
    pub fn make_room(&self) {
        match self {
            Self::Told(faulty) => faulty.work(),
            Self::Mounted(place) => fs::remove_file(place.join("ballast")).unwrap(),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Self::Mounted(place) = self {
            // The server may not have ended yet: its disk goes when it does.
            let _ = Command::new("umount").arg("-l").arg(place).status();
        }
    }
}
