//! What happened, and what is due. An event is written in the transaction that made it true, and those who must know at
//! once are told in the same one; a timer is a row that fires once, however many processes watch. Knows no service.

mod log;
mod nodes;
mod timers;
mod worker;

pub use log::{Event, EventId, EventKind, Subscribers, append, append_after, newest_at, of_subject};
pub use nodes::{BEAT, Node, NodeId, Watch, enter, leave, let_go};
pub use timers::{cancel, lease, put_off, schedule};
pub use worker::{Handler, Handlers, run_worker, settle};
