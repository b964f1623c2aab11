//! Counts acknowledged changes that are lost.

/// Numbers of acknowledged changes that are lost, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Another node continued from an older state.
    pub overtaken: u64,
    /// The store was rolled back, and no node had them any more.
    pub forgotten: u64,
    /// The store was rolled back, a node continued from the older state, and a node with the newer state replaced that.
    pub replaced: u64,
    /// They were kept while the store was down, and it refused them afterwards.
    pub refused: u64,
}

impl Lost {
    pub(crate) fn all(self) -> u64 {
        self.overtaken + self.forgotten + self.replaced + self.refused
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    /// For two reports of the same losses.
    pub(crate) fn max(self, other: Self) -> Self {
        self.each(other, u64::max)
    }

    fn each(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            overtaken: of(self.overtaken, other.overtaken),
            forgotten: of(self.forgotten, other.forgotten),
            replaced: of(self.replaced, other.replaced),
            refused: of(self.refused, other.refused),
        }
    }
}
