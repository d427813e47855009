//! Places at which the program can be told to die, to show that nothing is lost or done twice whenever that happens:
//! `GUILDHALL_FAILPOINT=charge:sent`. Only where debug assertions are compiled in; releases never die here.

/// Dies at once, as with SIGKILL, if this is the place that the environment names.
#[cfg(debug_assertions)]
pub fn reach(place: &'static str) {
    static ARMED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let armed = ARMED.get_or_init(|| std::env::var("GUILDHALL_FAILPOINT").ok());
    if armed.as_deref() == Some(place) {
        eprintln!("failpoint: {place}");
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub fn reach(_: &'static str) {}
