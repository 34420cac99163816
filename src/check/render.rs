//! Findings as text, in the manner of compilers: the line of the source, a caret under the expression, and notes.
//!
//! Invariant: the text depends on the findings alone.

use super::{
    Between, Does, Fault, Finding, Findings, Invocation, Memory, Misuse, Place, Scalar, Value,
};
use crate::kernel::{Combine, narrowed};
use std::fmt::{self, Write};

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.found.len();
        let faults = plural(count as u64, "fault", "faults");
        if self.more > 0 {
            write!(
                f,
                "checked mode found more than {count} {faults} in the kernel `{}`; the first {count} are",
                self.entry
            )?;
        } else {
            write!(
                f,
                "checked mode found {count} {faults} in the kernel `{}`",
                self.entry
            )?;
        }
        for finding in &self.found {
            write!(f, "\n\n{finding}")?;
        }
        if self.more > 0 {
            write!(
                f,
                "\n\nand {} more {}, at other places",
                self.more,
                plural(self.more, "time", "times")
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn plural<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut labels = vec![(&self.place, self.fault.label(self.invocation))];
        if let Fault::Race {
            other, other_place, ..
        } = &self.fault
        {
            let text = format!(
                "invocation {} {} {}",
                id(other.invocation.global),
                other.does,
                other.value
            );
            if *other_place == self.place {
                labels[0].1 = format!("{}, {text}", labels[0].1);
            } else {
                labels.push((other_place, text));
            }
        }
        writeln!(f, "{}", self.fault)?;
        let digits = labels.iter().map(|(place, _)| place.line.to_string().len());
        let width = digits.max().unwrap_or(1);
        writeln!(
            f,
            "{:width$} ┌─ wgsl:{}:{}",
            "", self.place.line, self.place.column
        )?;
        writeln!(f, "{:width$} │", "")?;
        let mut lines = String::new();
        let mut last = None;
        for (place, label) in &labels {
            match last {
                Some(line) if place.line > line + 1 => writeln!(lines, "{:width$} ·", "")?,
                _ => {}
            }
            if last != Some(place.line) {
                writeln!(lines, "{:>width$} │ {}", place.line, spaced(&place.text))?;
            }
            last = Some(place.line);
            let before: String = place
                .text
                .chars()
                .take(place.column as usize - 1)
                .collect::<String>();
            let indent = spaced(&before).chars().count();
            let carets = "^".repeat(place.width as usize);
            writeln!(lines, "{:width$} │ {:indent$}{carets} {label}", "", "")?;
        }
        writeln!(f, "{}", narrowed(lines.trim_end()))?;
        write!(f, "{:width$} │", "")?;
        let mut notes = Vec::new();
        match &self.fault {
            Fault::Race { other, .. } => {
                notes.push(who(self.invocation, ""));
                notes.push(who(other.invocation, ""));
            }
            Fault::NotUniform { other, .. } => {
                notes.push(who(self.invocation, ""));
                notes.push(who(*other, ""));
            }
            Fault::DivergentBarrier { absent, .. } => {
                notes.push(who(self.invocation, " comes"));
                notes.push(who(*absent, " doesn't"));
            }
            _ => notes.push(who(self.invocation, "")),
        }
        notes.extend(self.fault.notes(&self.place));
        let has_several = labels.len() > 1;
        for (place, _) in &labels {
            for call in place.calls.iter().rev() {
                let called = format!(
                    "in `{}`, called at {}:{}",
                    call.function, call.line, call.column
                );
                notes.push(if has_several {
                    format!("{place} is {called}")
                } else {
                    called
                });
            }
        }
        if self.times > 1 {
            notes.push(format!("{} times; this is the first", self.times));
        }
        for note in notes {
            write!(f, "\n{:width$} = {note}", "")?;
        }
        Ok(())
    }
}

/// Tabs as four spaces.
fn spaced(text: &str) -> String {
    text.replace('\t', "    ")
}

fn id(id: [u32; 3]) -> String {
    let [x, y, z] = id;
    format!("({x}, {y}, {z})")
}

fn who(invocation: Invocation, what: &str) -> String {
    format!(
        "invocation {}{what}: local id {}, workgroup id {}",
        id(invocation.global),
        id(invocation.local),
        id(invocation.workgroup)
    )
}

/// The headline.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::OutOfBounds { .. } => f.write_str("index out of bounds"),
            Fault::OutsidePattern {
                binding, declared, ..
            } => write!(
                f,
                "`{binding}` is accessed outside of its declared pattern, `{declared}`"
            ),
            Fault::NotAccumulated {
                binding, declared, ..
            } => write!(
                f,
                "`{binding}` isn't accumulated as declared, with `Accumulate({declared:?})`"
            ),
            Fault::DivergentBarrier { barrier, .. } => {
                write!(f, "`{barrier}` in divergent control flow")
            }
            Fault::NotUniform { .. } => {
                f.write_str("`workgroupUniformLoad` of something that isn't uniform")
            }
            Fault::Race {
                touched, between, ..
            } => match between {
                Between::Invocations => {
                    write!(
                        f,
                        "data race on `{touched}` between invocations of a workgroup"
                    )
                }
                Between::Workgroups => {
                    write!(f, "data race on `{touched}` between workgroups")
                }
            },
        }
    }
}

impl Fault {
    /// What stands behind the caret.
    fn label(&self, invocation: Invocation) -> String {
        match self {
            Fault::OutOfBounds {
                indexed,
                index,
                len,
            } => {
                let elements = plural(u64::from(*len), "element", "elements");
                format!("the index is {index}, but `{indexed}` has {len} {elements}")
            }
            Fault::OutsidePattern {
                binding,
                does,
                touched,
                allowed,
                ..
            } => {
                let may = if allowed.len() == 1 {
                    allowed.start.to_string()
                } else {
                    format!("{}..{}", allowed.start, allowed.end)
                };
                format!("{does} `{touched}`, but may touch only `{binding}[{may}]`")
            }
            Fault::NotAccumulated { why, .. } => match why {
                Misuse::Combines(other) => format!("combines with {other}"),
                Misuse::Overwrites => "sets a value, whatever was there".to_owned(),
                Misuse::UsesOld => "what was there is used".to_owned(),
            },
            Fault::DivergentBarrier { came, of, .. } => {
                format!(
                    "{came} of the workgroup's {of} invocations {} here",
                    plural(u64::from(*came), "comes", "come")
                )
            }
            Fault::NotUniform { loads, .. } => {
                format!("invocation {} loads `{loads}`", id(invocation.global))
            }
            Fault::Race { one, .. } => {
                format!(
                    "invocation {} {} {}",
                    id(one.invocation.global),
                    one.does,
                    one.value
                )
            }
        }
    }

    /// What more there is to say of the fault at this place.
    fn notes(&self, place: &Place) -> Vec<String> {
        match self {
            Fault::OutOfBounds { .. } => Vec::new(),
            Fault::OutsidePattern { units, elements_per_unit, reach, is_written, binding, .. } => {
                let belongs = match units.len() {
                    1 => format!("it belongs to unit {}", units.start),
                    _ => format!("its workgroup has units {}..{}", units.start, units.end),
                };
                let owns = format!(
                    "{belongs} of the range's slowest dimension, and each unit has {elements_per_unit} {}",
                    plural(*elements_per_unit, "element", "elements")
                );
                let help = if *is_written {
                    format!("leave `{binding}` undeclared, and the dispatch isn't split")
                } else {
                    format!("declare `Neighborhood({reach})` or `All`")
                };
                let units = plural(*reach, "unit", "units");
                vec![owns, format!("it is at most {reach} {units} away: {help}")]
            }
            Fault::NotAccumulated { declared, binding, why, .. } => {
                let help = format!("leave `{binding}` undeclared, and the dispatch isn't split");
                vec![
                    format!("each device has a copy of its own, and the copies are combined with {}", declared.words()),
                    match why {
                        Misuse::UsesOld => format!("what is there before that depends on the split: {help}"),
                        _ => format!("what else is done to a copy depends on the split: {help}"),
                    },
                ]
            }
            Fault::DivergentBarrier { .. } => vec![
                "every invocation of a workgroup has to come to a barrier: a GPU may hang or go on without waiting".to_owned(),
            ],
            Fault::NotUniform { other_loads, other, .. } => vec![
                format!("invocation {} loads `{other_loads}`", id(other.global)),
                "all invocations of a workgroup have to load the same".to_owned(),
            ],
            Fault::Race { between, memory, is_other_barrier, one, other, other_place, .. } => {
                let (right, wrong) = match memory {
                    Memory::Workgroup => ("workgroupBarrier", "storageBarrier"),
                    Memory::Storage => ("storageBarrier", "workgroupBarrier"),
                };
                let is_read = !(one.does.writes() && other.does.writes());
                let mut notes = vec![match (between, is_other_barrier) {
                    (Between::Workgroups, _) => {
                        "nothing orders workgroups within a dispatch: use atomics, or two dispatches".to_owned()
                    }
                    (_, true) => format!(
                        "a `{wrong}()` comes between the two, but only a `{right}()` orders this memory"
                    ),
                    // No barrier fits into a statement that changes what was there, or between one and itself.
                    _ if place == other_place || (is_read && place.is_update_of(other_place)) => {
                        "nothing orders what invocations do in the same statement, and no barrier can: use atomics, or let \
                         one invocation do it for all"
                            .to_owned()
                    }
                    (_, false) if !is_read => {
                        format!("no `{right}()` comes between the two: put one there, or use atomics")
                    }
                    (_, false) => format!("no `{right}()` comes between the two"),
                }];
                if [one.does, other.does] == [Does::Write; 2] && one.value == other.value {
                    notes.push("WGSL makes no exception for two writes of the same value".to_owned());
                }
                notes
            }
        }
    }
}

impl Place {
    /// Whether the other place is in the same line of the same call and spells the same, as where one statement reads and
    /// writes something.
    fn is_update_of(&self, other: &Place) -> bool {
        self.line == other.line && self.calls == other.calls && self.spelled() == other.spelled()
    }

    /// What stands there.
    fn spelled(&self) -> String {
        let rest = self.text.chars().skip(self.column as usize - 1);
        rest.take(self.width as usize).collect()
    }
}

impl Combine {
    /// What people call it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Combine::Add => "addition",
            Combine::Min => "the minimum",
            Combine::Max => "the maximum",
            Combine::Or => "bitwise or",
            Combine::And => "bitwise and",
        }
    }
}

impl fmt::Display for Does {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Does::Read => "reads",
            Does::Write => "writes",
            Does::AtomicRead => "atomically reads",
            Does::AtomicWrite => "atomically writes",
            Does::AtomicUpdate => "atomically updates with",
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scalar {
            Scalar::F32 => write!(f, "{:?}", f32::from_bits(self.bits)),
            Scalar::I32 => write!(f, "{}", self.bits as i32),
            Scalar::U32 => write!(f, "{}", self.bits),
            Scalar::Bool => write!(f, "{}", self.bits != 0),
            Scalar::Bits => write!(f, "{:#010x}", self.bits),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
