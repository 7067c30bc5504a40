//! The memory that programs run in.

use std::any::Any;
use std::marker::PhantomData;

/// The memory that programs run in. It grows when a program first needs it and is then reused, so later runs allocate
/// nothing. Programs may share a workspace.
#[derive(Debug)]
pub struct Workspace<T> {
    /// The memory that the last program's runtime keeps between runs.
    memory: Option<Box<dyn Any + Send>>,
    numbers: PhantomData<T>,
}

impl<T> Default for Workspace<T> {
    fn default() -> Self {
        Self {
            memory: None,
            numbers: PhantomData,
        }
    }
}

impl<T> Workspace<T> {
    /// Lends a runtime its memory, which is new if another runtime used the workspace last.
    pub(crate) fn lend<M: Any + Send + Default, R>(&mut self, run: impl FnOnce(&mut M) -> R) -> R {
        let known = self.memory.take().and_then(|memory| memory.downcast().ok());
        let mut memory: Box<M> = known.unwrap_or_default();
        let result = run(&mut memory);
        self.memory = Some(memory);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_by_the_same_runtime() {
        let mut workspace = Workspace::<f32>::default();
        workspace.lend(|memory: &mut Vec<u8>| memory.push(1));
        let place = workspace.lend(|memory: &mut Vec<u8>| memory.as_ptr());
        assert_eq!(
            workspace.lend(|memory: &mut Vec<u8>| memory.as_ptr()),
            place
        );
        assert_eq!(workspace.lend(|memory: &mut Vec<u8>| memory.clone()), [1]);
        assert_eq!(workspace.lend(|memory: &mut Vec<u16>| memory.len()), 0);
        assert_eq!(workspace.lend(|memory: &mut Vec<u8>| memory.len()), 0);
    }
}
