//! What is submitted to the queue, and what is remembered of it until it has ended.
//!
//! Data; the state of the queue moves it along.
//!
//! Invariant: an operation is completed exactly once.

use super::report::Report;
use crate::buffer::Storage;
use crate::check::Findings;
use crate::device::Bound;
use crate::error::{Error, Result};
use crate::id::{BufferId, CommandId};
use crate::kernel::{Access, Facts, Kernel, Proof};
use crate::plan::{Placed, Touch};
use crate::range::Chunk;
use crate::span::Span;
use crate::split::{Handout, Measured, Policy, Prediction};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The user's hold on a buffer. When the last one goes, the queue is told to forget the buffer.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) storage: Arc<Storage>,
    /// Where the queue looks for buffers that nobody holds.
    pub(crate) abandoned: Arc<Mutex<Vec<BufferId>>>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.abandoned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.storage.id());
    }
}

/// Which policy a dispatch follows, with its devices found.
#[derive(Clone, Debug)]
pub(crate) enum Resolved {
    Measured,
    Fixed(Vec<f64>),
    Guided,
    Only(usize),
}

impl Resolved {
    /// The policy in terms of devices with these names.
    ///
    /// # Errors
    ///
    /// If its shares make no sense, are more than there are devices, or it names a device that isn't there.
    pub(crate) fn new(policy: &Policy, names: &[&str]) -> Result<Self> {
        let refused = |expected: String| Error::Setting {
            setting: "split",
            text: policy.to_string(),
            expected,
        };
        if !policy.is_sound() {
            let expected = "shares are finite, none is negative and one is positive";
            return Err(refused(expected.to_owned()));
        }
        Ok(match policy {
            Policy::Measured => Self::Measured,
            Policy::Guided => Self::Guided,
            Policy::Fixed(shares) if shares.len() > names.len() => {
                let expected = format!(
                    "a share for each device and no more, and this runtime has {}",
                    names.len()
                );
                return Err(refused(expected));
            }
            Policy::Fixed(shares) => {
                let sum: f64 = shares.iter().sum();
                // Shares near the largest number there is have no sum.
                let scale = if sum.is_finite() {
                    1.0
                } else {
                    2.0_f64.powi(-64)
                };
                Self::Fixed(shares.iter().map(|share| share * scale).collect())
            }
            Policy::Only(name) if name.trim().is_empty() => {
                return Err(refused("the name of a device, as only:cpu".to_owned()));
            }
            Policy::Only(name) => {
                let wanted = name.to_lowercase();
                let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
                let exact = names.iter().position(|name| name.to_lowercase() == wanted);
                let place = exact.or_else(|| {
                    names
                        .iter()
                        .position(|name| name.to_lowercase().contains(&wanted))
                });
                Self::Only(place.ok_or_else(|| Error::UnknownDevice {
                    name: name.clone(),
                    found: names,
                })?)
            }
        })
    }
}

/// A dispatch that was bound and checked.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) kernel: Kernel,
    pub(crate) facts: Arc<Facts>,
    /// The whole range.
    pub(crate) chunk: Chunk,
    pub(crate) bound: Arc<[Bound]>,
    /// The access pattern of each of them, and how that is known.
    pub(crate) accesses: Arc<[Option<Access>]>,
    pub(crate) proof: Arc<Proof>,
    pub(crate) touches: Vec<Touch>,
    pub(crate) policy: Resolved,
    /// For each device, why it can't run the dispatch.
    pub(crate) left_out: Vec<Option<String>>,
    /// Keeps the buffers until the dispatch has ended.
    #[expect(dead_code, reason = "held, not used")]
    pub(crate) holds: Vec<Arc<Hold>>,
}

impl Dispatch {
    /// Units of the slowest dimension.
    pub(crate) fn extent(&self) -> u64 {
        self.chunk.units.end
    }

    /// The smallest uncut number of units: a workgroup.
    pub(crate) fn grain(&self) -> u64 {
        u64::from(self.facts.workgroup[self.chunk.slowest])
    }

    /// Whether it is known of every buffer which elements a part of the range needs.
    pub(crate) fn is_divisible(&self) -> bool {
        self.touches.iter().all(|touch| touch.access.is_some())
    }

    /// Invocations of the range in a unit.
    pub(crate) fn per_unit(&self) -> u64 {
        self.chunk.invocations_per_unit()
    }
}

/// What can be submitted.
#[derive(Debug)]
pub(crate) enum Request {
    Dispatch(Box<Dispatch>),
    /// The calling thread reads the elements of a buffer.
    Read(Arc<Hold>, Span),
    /// The calling thread writes them.
    Write(Arc<Hold>, Span),
}

impl Request {
    pub(crate) fn touches(&self, buffer: BufferId) -> bool {
        match self {
            Request::Dispatch(dispatch) => {
                dispatch.touches.iter().any(|touch| touch.buffer == buffer)
            }
            Request::Read(hold, _) | Request::Write(hold, _) => hold.storage.id() == buffer,
        }
    }
}

/// Where the outcome of an operation is left, and waited for.
#[derive(Debug, Default)]
pub(crate) struct Completion(OnceLock<Result<Report>>);

impl Completion {
    /// Says what became of it; the first to say so is right.
    pub(crate) fn set(&self, outcome: Result<Report>) {
        self.0.get_or_init(|| outcome);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    pub(crate) fn get(&self) -> Option<Result<Report>> {
        self.0.get().cloned()
    }

    /// Sleeps until the outcome is there.
    pub(crate) fn block(&self) {
        self.0.wait();
    }

    pub(crate) fn wait(self: Arc<Self>) -> Result<Report> {
        self.0.wait();
        match Arc::try_unwrap(self) {
            Ok(own) => own.0.into_inner().expect("it was waited for"),
            Err(shared) => shared.0.wait().clone(),
        }
    }
}

/// What one device has done for an operation so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) chunks: usize,
    pub(crate) units: u64,
    pub(crate) seconds: f64,
    /// Of the chunk that took longest.
    pub(crate) longest_seconds: f64,
    pub(crate) bytes_to_device: u64,
    pub(crate) bytes_from_device: u64,
    pub(crate) copy_seconds: f64,
    /// Chunks planned and not ended.
    pub(crate) in_flight: usize,
}

/// A chunk that has run and whose private copies are to be combined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Half {
    pub(crate) chunk: Placed,
    pub(crate) group: BufferId,
}

/// An operation that hasn't ended.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) request: Request,
    pub(crate) completion: Arc<Completion>,
    /// Commands that haven't ended.
    pub(crate) unfinished: usize,
    /// What is left to hand out, while it is handed out in chunks.
    pub(crate) handout: Option<Handout>,
    /// Chunks that have ended well.
    pub(crate) done: Vec<Span>,
    /// Chunks that have run and whose private copies haven't been combined.
    pub(crate) halves: Vec<Half>,
    pub(crate) tallies: Vec<Tally>,
    /// Whether chunks were cut so that their insides begin before halos have come: what is measured and reported is of whole
    /// chunks.
    pub(crate) is_cut: bool,
    /// What the chunks took, in the order in which they ended.
    pub(crate) measured: Vec<Measured>,
    /// Why a device takes no part any more.
    pub(crate) dropped: Vec<Option<String>>,
    pub(crate) notes: Vec<String>,
    pub(crate) prediction: Option<Prediction>,
    /// When the first of its commands that have ended began, by the queue's clock.
    pub(crate) started: Option<f64>,
    /// The host's own access, once it is planned.
    pub(crate) access: Option<CommandId>,
    /// What went wrong, while its last commands end.
    pub(crate) error: Option<Error>,
    /// What checked mode found in what was done.
    pub(crate) findings: Option<Arc<Findings>>,
}

impl Operation {
    pub(crate) fn new(request: Request, devices: usize) -> Self {
        Self {
            request,
            completion: Arc::default(),
            unfinished: 0,
            handout: None,
            done: Vec::new(),
            halves: Vec::new(),
            tallies: vec![Tally::default(); devices],
            is_cut: false,
            measured: Vec::new(),
            dropped: vec![None; devices],
            notes: Vec::new(),
            prediction: None,
            started: None,
            access: None,
            error: None,
            findings: None,
        }
    }

    /// Notes what a chunk took, or a piece of one.
    pub(crate) fn add_measured(&mut self, one: Measured) {
        let mut before = self.measured.iter_mut();
        match before.find(|before| self.is_cut && before.device == one.device) {
            Some(before) => {
                let (start, end) = (before.units.start, before.units.end);
                before.units = Span::new(start.min(one.units.start), end.max(one.units.end));
                before.seconds += one.seconds;
            }
            None => self.measured.push(one),
        }
    }

    /// Whether the chunks that have ended well are all of the dispatch, if it is one.
    pub(crate) fn is_covered(&self) -> bool {
        match &self.request {
            Request::Dispatch(dispatch) => {
                let done: u64 = self.done.iter().map(|span| span.len()).sum();
                done >= dispatch.extent()
            }
            Request::Read(..) | Request::Write(..) => true,
        }
    }

    /// The units of a dispatch that no chunk has done.
    pub(crate) fn left(&self, extent: u64) -> Vec<Span> {
        let mut done = self.done.clone();
        done.extend(self.halves.iter().map(|half| half.chunk.units));
        done.sort_unstable();
        let mut left = Vec::new();
        let mut next = 0;
        for span in done {
            if next < span.start {
                left.push(Span::new(next, span.start));
            }
            next = next.max(span.end);
        }
        if next < extent {
            left.push(Span::new(next, extent));
        }
        left
    }
}
