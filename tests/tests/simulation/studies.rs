//! Studies: what the runs are about. Each record has a cell of its own, so that a count above one,
//! a lost record and a wrong total all show.

use std::sync::Mutex;

use mpc::collect::Collect;
use study::{Plan, Study, StudyContext};

use crate::cluster::Cluster;

/// Cells of a study: no run submits more records.
pub const CELLS: u32 = 24;

/// A study, and what its providers need.
pub struct Prepared {
    pub study: Study,
    pub plan: Plan,
    pub collect: Collect,
}

/// Which cells of each study nobody has taken yet.
pub struct Cells(Mutex<Vec<u32>>);

impl Cells {
    pub fn new(studies: usize) -> Self {
        Self(Mutex::new(vec![0; studies]))
    }

    /// So many cells of a study, or as many as are left.
    pub fn take(&self, study: usize, records: usize) -> Vec<u32> {
        let next = &mut self.0.lock().unwrap()[study];
        let first = *next;
        *next = (first + u32::try_from(records).unwrap()).min(CELLS);
        (first..*next).collect()
    }
}

/// A study of all servers of the cluster.
pub fn of(cluster: &Cluster, number: u8) -> Prepared {
    let values: Vec<String> = (0..CELLS).map(|cell| format!("\"r{cell}\"")).collect();
    let text = format!(
        "title = \"Everyone in a cell of their own\"\n[privacy]\nmin_records = 1\n\
         [[column]]\nname = \"who\"\ntype = \"category\"\nvalues = [{}]\n\
         [[statistic]]\nname = \"count\"\nkind = \"count\"\nby = [\"who\"]\n",
        values.join(", ")
    );
    let context = StudyContext {
        available: cluster.servers(),
        analyst: cluster.analyst.public(),
        nonce: [number; 16],
    };
    let study = Study::from_file(&text, "study.toml", context).unwrap();
    let plan = Plan::new(&study).unwrap();
    let collect =
        Collect::new(plan.circuit().clone(), study.id(), cluster.servers().len()).unwrap();
    Prepared { study, plan, collect }
}
