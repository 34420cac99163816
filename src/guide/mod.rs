//! The guide: from a first kernel to a device of one's own.
//!
//! | chapter | for |
//! |---|---|
//! | [`first_kernel`] | a crate from nothing: a kernel, its buffers and values, a simulation that iterates |
//! | [`splitting`] | who gets which part of a dispatch, and what a report says of it |
//! | [`patterns`] | which elements a part of the range touches: what is proven, and what to declare |
//! | [`checked_mode`] | finding what is wrong with a kernel |
//! | [`performance`] | what is fast, what isn't, and where the time goes |
//! | [`own_device`] | making a processor that Divvy doesn't know take part |
//! | [`architecture`] | how the library is built, and the way of a dispatch through it |
//!
//! Every block of Rust in it is compiled and run by the tests.

#[doc = include_str!("first_kernel.md")]
pub mod first_kernel {}

#[doc = include_str!("splitting.md")]
pub mod splitting {}

#[doc = include_str!("patterns.md")]
pub mod patterns {}

#[doc = include_str!("checked_mode.md")]
pub mod checked_mode {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("own_device.md")]
pub mod own_device {}

#[doc = include_str!("architecture.md")]
pub mod architecture {}
