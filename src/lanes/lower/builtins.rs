//! What an invocation is told of its place.
//!
//! Invariant: the words are those of the undivided dispatch.

use super::super::Unsupported;
use super::super::op::{Code, Input, Reg};
use super::super::subgroup::WIDTH;
use super::{Layout, Lowering};

impl Lowering<'_> {
    /// The words of a builtin.
    pub(super) fn builtin(&mut self, binding: &naga::Binding) -> Result<Vec<Reg>, Unsupported> {
        use naga::BuiltIn;
        let naga::Binding::BuiltIn(builtin) = binding else {
            return Err(Unsupported::new(
                "an argument that isn't a builtin".to_owned(),
            ));
        };
        Ok(match builtin {
            BuiltIn::GlobalInvocationId => (0..3).map(|axis| self.global_id(axis)).collect(),
            BuiltIn::LocalInvocationId => (0..3).map(|axis| self.local_id(axis)).collect(),
            BuiltIn::WorkGroupId => (0..3).map(|axis| self.workgroup_id(axis)).collect(),
            BuiltIn::NumWorkGroups => (0..3)
                .map(|axis| self.builder.input(Input::Workgroups(axis)))
                .collect(),
            BuiltIn::WorkGroupSize => self
                .workgroup
                .map(|extent| self.builder.constant(extent))
                .to_vec(),
            BuiltIn::LocalInvocationIndex if self.layout == Layout::Workgroup => {
                vec![self.builder.input(Input::Lane)]
            }
            BuiltIn::LocalInvocationIndex => {
                let mut index = self.local_id(2);
                for axis in [1, 0] {
                    let extent = self.builder.constant(self.workgroup[axis as usize]);
                    let rows = self.builder.op(Code::Mul, &[index, extent]);
                    let more = self.local_id(axis);
                    index = self.builder.op(Code::Add, &[rows, more]);
                }
                vec![index]
            }
            BuiltIn::SubgroupSize => vec![self.builder.constant(WIDTH as u32)],
            BuiltIn::SubgroupInvocationId => vec![self.subgroup_invocation_id()],
            BuiltIn::SubgroupId => vec![self.subgroup_id()],
            BuiltIn::NumSubgroups => vec![self.num_subgroups()],
            other => return Err(Unsupported::new(format!("the builtin {other:?}"))),
        })
    }

    pub(super) fn global_id(&mut self, axis: u8) -> Reg {
        if self.layout == Layout::Row {
            return self.builder.input(Input::Global(axis));
        }
        let group = self.workgroup_id(axis);
        let extent = self.builder.constant(self.workgroup[axis as usize]);
        let first = self.builder.op(Code::Mul, &[group, extent]);
        let local = self.local_id(axis);
        self.builder.op(Code::Add, &[first, local])
    }

    pub(super) fn local_id(&mut self, axis: u8) -> Reg {
        if self.workgroup[axis as usize] == 1 {
            return self.builder.constant(0);
        }
        if self.layout == Layout::Workgroup {
            let is_line = self.workgroup[1..] == [1, 1];
            return self.builder.input(match axis {
                0 if is_line => Input::Lane,
                _ => Input::Local(axis),
            });
        }
        let id = self.builder.input(Input::Global(axis));
        let extent = self.builder.constant(self.workgroup[axis as usize]);
        self.builder.op(Code::RemU, &[id, extent])
    }

    pub(super) fn workgroup_id(&mut self, axis: u8) -> Reg {
        if self.layout == Layout::Workgroup {
            return self.builder.input(Input::Workgroup(axis));
        }
        let id = self.builder.input(Input::Global(axis));
        let extent = self.builder.constant(self.workgroup[axis as usize]);
        if self.workgroup[axis as usize] == 1 {
            return id;
        }
        self.builder.op(Code::DivU, &[id, extent])
    }
}
