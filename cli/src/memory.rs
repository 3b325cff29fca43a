//! Memory: keys, shares and records in it do not go to a disk when the program dies.

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core file is written of this process or of those that it starts, and no handler of the system
/// is given one: a limit of zero does not keep the kernel from piping a dump to a program, and a
/// process that is not dumpable does. Nor can another process of the same user read its memory.
pub fn keep_out_of_dumps() {
    // Lowering a limit is allowed to everybody.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
