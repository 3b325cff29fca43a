//! Bad input: each gets one clear line that names the place, the right exit code, and nothing is
//! half done.

mod profiles;
mod servers;
mod studies;
mod tables;
