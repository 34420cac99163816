//! How the user wants dispatches split.
//!
//! A choice and its spelling; who takes part is decided by the devices' names elsewhere.
//!
//! Invariant: the shares of `Fixed` are finite, none is negative, and one is positive.

use std::fmt;
use std::str::FromStr;

/// How dispatches are split.
///
/// ```
/// use divvy::Policy;
///
/// let policy: Policy = "fixed:0.25,0.75".parse()?;
/// assert_eq!(policy, Policy::Fixed(vec![0.25, 0.75]));
/// assert!("fixed:0,0".parse::<Policy>().is_err());
/// # Ok::<(), divvy::split::UnknownPolicy>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Policy {
    /// By measured rates: calibrated by the first dispatch of a kernel, followed ever after.
    #[default]
    Measured,
    /// By these shares, one for each device in order; missing ones are zero.
    Fixed(Vec<f64>),
    /// In many chunks, handed out as devices ask for more.
    Guided,
    /// Whole, on the one device of this name, or whose name contains it.
    Only(String),
}

/// A policy that can't be understood.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no split policy: use measured, guided, fixed:0.25,0.75 (a share for each device) or only:NAME"
)]
pub struct UnknownPolicy(String);

debug_is_message!(UnknownPolicy);

impl Policy {
    /// Whether the shares, if it has any, can be followed.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match self {
            Policy::Fixed(shares) => {
                shares
                    .iter()
                    .all(|share| share.is_finite() && *share >= 0.0)
                    && shares.iter().any(|share| *share > 0.0)
            }
            _ => true,
        }
    }
}

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        let unknown = || UnknownPolicy(text.to_owned());
        let policy = match text.trim().split_once(':') {
            None if text.trim() == "measured" => Policy::Measured,
            None if text.trim() == "guided" => Policy::Guided,
            Some(("only", name)) if !name.trim().is_empty() => Policy::Only(name.trim().to_owned()),
            Some(("fixed", shares)) => {
                let share = |share: &str| share.trim().parse().map_err(|_| unknown());
                Policy::Fixed(shares.split(',').map(share).collect::<Result<_, _>>()?)
            }
            _ => return Err(unknown()),
        };
        if policy.is_sound() {
            Ok(policy)
        } else {
            Err(unknown())
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::Measured => f.write_str("measured"),
            Policy::Guided => f.write_str("guided"),
            Policy::Only(name) => write!(f, "only:{name}"),
            Policy::Fixed(shares) => {
                let shares: Vec<_> = shares.iter().map(f64::to_string).collect();
                write!(f, "fixed:{}", shares.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read() {
        for text in ["measured", "guided", "only:cpu", "fixed:0.25,0.75"] {
            let policy: Policy = text.parse().expect("it is a policy");
            assert_eq!(policy.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for text in [
            "",
            "smart",
            "fixed:",
            "fixed:0,0",
            "fixed:-1,2",
            "fixed:nan",
            "only:",
            "guided:3",
        ] {
            assert!(text.parse::<Policy>().is_err(), "{text}");
        }
    }
}
