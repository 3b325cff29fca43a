//! The gRPC surface: handlers translate messages and delegate; errors become statuses in one file.

pub mod amendments;
pub mod audit;
pub mod directory;
pub mod peers;
pub mod status;
pub mod studies;
pub mod submissions;
