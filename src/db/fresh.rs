//! How fresh an answer has to be. A server may have replicas, which follow it a moment behind.

/// A place in the server's write-ahead log, in bytes: what lies before it has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub(super) i64);

/// What a read has to see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// Everything that was committed before it began.
    #[default]
    Present,
    /// Everything that was committed before this position: what its caller did, on whichever node, and more.
    Since(Position),
    /// Everything but what happened a moment ago.
    Recent,
}
