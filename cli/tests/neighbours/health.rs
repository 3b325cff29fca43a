//! Health: what a process uses, as the system sees it.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Between two looks at the memory.
const LOOK: Duration = Duration::from_millis(50);

/// Bytes of memory that a process uses.
pub fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib << 10
}

/// File descriptors that a process has open; none, with a loud word, where only root may know: `sotto`
/// lets nobody else look into its processes.
pub fn descriptors(pid: u32) -> Option<usize> {
    match fs::read_dir(format!("/proc/{pid}/fd")) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("NOT CHECKED: file descriptors of process {pid}; run this test as root");
            None
        }
        descriptors => Some(descriptors.unwrap().count()),
    }
}

/// Looks at the memory of processes again and again.
pub struct Watch {
    stop: Arc<AtomicBool>,
    most: JoinHandle<Vec<u64>>,
}

impl Watch {
    pub fn start(pids: Vec<u32>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let most = thread::spawn(move || {
            let mut most = vec![0; pids.len()];
            while !stopped.load(Ordering::Relaxed) {
                for (most, pid) in most.iter_mut().zip(&pids) {
                    *most = memory(*pid).max(*most);
                }
                thread::sleep(LOOK);
            }
            most
        });
        Self { stop, most }
    }

    /// The most that each process has used since.
    pub fn most(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.most.join().unwrap()
    }
}
