//! The server as its users meet it: in process through its router, and as a process that is killed and started again.

mod access;
mod api;
mod bench;
mod comparison;
mod datasets;
mod faults;
mod full_disk;
mod full_file_system;
mod log;
mod models;
mod offer;
mod openapi;
mod page;
mod process;
mod restart;
mod showcase;
mod stream;
mod studies;
