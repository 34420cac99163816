//! What is taken from the bench of the lanes: kernels, data, and plain Rust that comes to the same.

#[path = "../lanes/held.rs"]
pub mod held;
#[path = "../lanes/plain.rs"]
#[allow(dead_code, reason = "not all of it is asked for here")]
pub mod plain;
#[path = "../lanes/workloads.rs"]
#[allow(dead_code, reason = "not all of it is asked for here")]
pub mod workloads;
