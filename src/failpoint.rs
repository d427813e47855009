//! Places at which the program can be told to die, to show that nothing is lost or done twice whenever that happens:
//! `GUILDHALL_FAILPOINT=charge:sent`, or [`arm`] for a program inside a test. Only where debug assertions are compiled in;
//! releases never die here.

use std::cell::Cell;

thread_local! {
    static HERE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Dies at once, as with SIGKILL, if this is the place that the environment names.
#[cfg(debug_assertions)]
pub fn reach(place: &'static str) {
    static ARMED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let armed = ARMED.get_or_init(|| std::env::var("GUILDHALL_FAILPOINT").ok());
    if armed.as_deref() == Some(place) {
        eprintln!("failpoint: {place}");
        std::process::abort();
    }
    if HERE.get() == Some(place) {
        HERE.set(None);
        panic!("failpoint: {place}");
    }
}

#[cfg(not(debug_assertions))]
pub fn reach(_: &'static str) {}

/// Lets whoever comes to `place` on this thread die there by a panic, once, in place of what was armed before.
pub fn arm(place: &'static str) {
    HERE.set(Some(place));
}

/// Whether what was armed on this thread still waits for somebody to come.
pub fn is_armed() -> bool {
    HERE.get().is_some()
}
