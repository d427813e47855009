//! What the supervisor that started this process is told, in systemd's words (sd_notify(3)). Where there is none, or it does
//! not listen, nothing is lost: it only decides what waits for this process, never what this process does.

use sd_notify::{NotifyState, notify};

/// It can do its work: who connects from now on is answered.
pub fn ready(address: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("answers at {address}"))]);
}

/// It was told to stop and finishes what it has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("finishes what runs and takes no more")]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::warn!(%error, "the supervisor could not be told: it may wait in vain");
    }
}
