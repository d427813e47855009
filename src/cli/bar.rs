//! How far a command is, drawn on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// Of something whose size is known.
pub fn bar(verb: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {bar:40} {percent}%").unwrap_or(ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(verb)
}

/// Of so many things, nobody knows of how many.
pub fn count(verb: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {human_pos} rows in {elapsed}")
        .unwrap_or(ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style).with_message(verb)
}

pub fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}
